import { ClientError } from '../om/errors.ts';

const ALLOWED = '^((STANDALONE|RATIS)/(ONE|THREE))|(EC/(3-2|6-3|10-4)-(512|1024|2048|4096)k)$';

/** `-t` and `-r` of a command. @returns `RATIS/ONE`, `EC/rs-3-2-1024k`; empty when neither is given */
export function replicationOf(type: string | undefined, replication: string | undefined): string {
  if (replication === undefined) return '';
  if (type === undefined) throw new ClientError(`Replication type must be specified for: ${replication}`);
  if (type !== 'EC') {
    if (replication !== 'ONE' && replication !== 'THREE')
      throw new ClientError(`${replication} is not supported for ${type} replication type`);
    return `${type}/${replication}`;
  }
  const [, codec = '', rest = ''] = /^([a-z]+)-(.*)$/i.exec(replication) ?? [];
  if (!['rs', 'xor'].includes(codec.toLowerCase()))
    throw new ClientError(`The codec ${codec} is invalid. It must be one of rs,xor.`);
  if (!/^(3-2|6-3|10-4)-(512|1024|2048|4096)k$/.test(rest))
    throw new ClientError(
      `Invalid replication config EC/${rest}. Config must match the pattern defined by ozone.replication.allowed-configs (${ALLOWED})`,
    );
  return `EC/${codec.toLowerCase()}-${rest}`;
}

/** As `bucket info` shows it. */
export function replicationJson(replication: string) {
  const [, codec = '', data = '', parity = '', chunk = ''] =
    /^EC\/([a-z]+)-(\d+)-(\d+)-(\d+)k$/.exec(replication) ?? [];
  if (codec !== '')
    return {
      data: Number(data),
      parity: Number(parity),
      ecChunkSize: Number(chunk) * 1024,
      codec: codec.toUpperCase(),
      replicationType: 'EC',
      requiredNodes: Number(data) + Number(parity),
      minimumNodes: Number(data),
    };
  const [replicationType = '', replicationFactor = ''] = replication.split('/');
  const requiredNodes = replicationFactor === 'THREE' ? 3 : 1;
  return { replicationFactor, requiredNodes, minimumNodes: 1, replicationType };
}
