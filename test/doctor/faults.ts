import { REPLICA_HOST } from '../fixtures/deployment.ts';
import type { OzoneSimulator } from '../ozone-simulator/simulator.ts';
import { BUCKETS, type DoctorStage, type Programs } from './stage.ts';

/** A fault that can be planted into a local deployment, by the name of the finding that it is to have. */
export interface LocalFault {
  readonly title: string;
  readonly plant: (stage: DoctorStage, clusters: OzoneSimulator, programs: Programs) => void | Promise<void>;
}

const [, BUCKET] = BUCKETS;

export const LOCAL_FAULTS: Readonly<Record<string, LocalFault>> = {
  'host-offline': {
    title: "the replica's host does not answer Systems Manager",
    plant: ({ deployment }) => deployment.cloud.host(REPLICA_HOST).disconnect(),
  },
  'hadoop-old': {
    title: 'Hadoop 3.3.6 on the hosts',
    plant: (_stage, { bin }, { put }) =>
      put('hadoop', `[ "$1" = version ] && { echo 'Hadoop 3.3.6'; exit 0; }\nexec '${bin}/hadoop' "$@"`),
  },
  'ozone-old': {
    title: 'an Ozone client of before snapshots on the hosts',
    plant: (_stage, { bin }, { put }) =>
      put('ozone', `[ "$1" = version ] && { echo '1.3.0(Grand Canyon)'; exit 0; }\nexec '${bin}/ozone' "$@"`),
  },
  'disk-full': {
    title: "the disk of the hosts' state folder is full",
    plant: (_stage, _clusters, { put }) => put('df', 'echo head; echo "disk 100000 99000 1000 99% /var"'),
  },
  'ticket-expired': {
    title: 'the Kerberos tickets are over',
    plant: (_stage, _clusters, { put }) =>
      put(
        'klist',
        `[ -n "$KRB5CCNAME" ] && who=observer || who=$(id -un)
echo "Default principal: $who@EXAMPLE.ORG"; echo '01/01/2020 00:00:00  01/02/2020 00:00:00  krbtgt/EXAMPLE.ORG@EXAMPLE.ORG'`,
      ),
  },
  'ticket-missing': {
    title: 'nobody keeps the Kerberos ticket of observe fresh',
    plant: (_stage, _clusters, { put }) => put('klist', 'echo "klist: No credentials cache found" >&2; exit 1'),
  },
  'cluster-unreachable': {
    title: 'the replica cluster is away',
    plant: (_stage, { inProcess }) =>
      inProcess.setFaults([{ id: 'away', effect: { kind: 'unreachable', service: 'dr' } }]),
  },
  'bucket-missing': {
    title: 'a source bucket is not there',
    plant: async (_stage, { ozone }) => void (await ozone('sh', 'bucket', 'delete', `o3://prod/${BUCKET}`)),
  },
  'layouts-differ': {
    title: 'a replica bucket has another layout',
    plant: async (_stage, { ozone }) => {
      await ozone('sh', 'bucket', 'delete', `o3://dr/${BUCKET}`);
      await ozone('sh', 'bucket', 'create', '-l', 'LEGACY', `o3://dr/${BUCKET}`);
    },
  },
};
