import { ClientError } from './errors.ts';

/** `o3://<service>/<volume>/<bucket>/<key>` as `ozone sh` takes it; parts that are not there are `''`. */
export interface O3Address {
  readonly service: string;
  readonly volume: string;
  readonly bucket: string;
  readonly key: string;
}

export function parseO3(text: string, services: readonly string[]): O3Address {
  const match = /^(?:([a-z0-9]+):\/\/([^/]*))?\/?([^/]*)\/?([^/]*)\/?(.*)$/s.exec(text);
  const [, scheme, authority = '', volume = '', bucket = '', key = ''] = match ?? [];
  if (scheme !== undefined && scheme !== 'o3')
    throw new ClientError(`Invalid URI, unknown protocol scheme: ${scheme}. Use o3:// as the scheme`);
  if (authority === '') {
    throw new ClientError('Service ID or host name must not be omitted when multiple ozone.om.service.ids is defined.');
  }
  return { service: serviceOf(authority, services), volume, bucket, key: key.replace(/\/$/, '') };
}

/** A service id, or a host with a port that stands for a cluster without high availability. */
export function serviceOf(authority: string, services: readonly string[]): string {
  if (services.includes(authority)) return authority;
  const [host = '', port] = authority.split(':');
  if (port !== undefined && services.includes(host)) {
    throw new ClientError(
      `Port ${port} specified in URI but host '${host}' is a logical (HA) OzoneManager and does not use port information.`,
    );
  }
  throw new ClientError(`Cannot resolve OM host ${authority} in the URI`);
}
