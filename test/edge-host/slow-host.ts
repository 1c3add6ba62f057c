import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { EdgeHost, type Variables } from './edge-host.ts';
import { bucketInfo, distcpLog, id, snapshotInfo, snapshotList } from './ozone-output.ts';

/** The copy of {@link aSlowHost}. */
export const resync: Variables = {
  mode: 'resync',
  target: 'snap-2',
  targetId: id(2),
  replicaCreated: '2026-11-20T18:22:04.605Z',
  fence: '7',
  fenceSeed: 'yes',
};

/** Its distcp writes its pid into the file `copying`, then lasts until a file `go` appears. */
export function aSlowHost(): EdgeHost {
  const host = new EdgeHost();
  host.ozone({
    'bucket info o3://dr/vol/bkt': { out: bucketInfo() },
    'snapshot list --all -p snap-2 o3://dr/vol/bkt': { out: snapshotList() },
    'bucket info o3://prod/vol/bkt': { out: bucketInfo() },
    'snapshot info o3://prod/vol/bkt snap-2': { out: snapshotInfo('snap-2', 2) },
    'snapshot create o3://dr/vol/bkt snap-2': {},
    'snapshot info o3://dr/vol/bkt snap-2': { out: snapshotInfo('snap-2', 12) },
  });
  writeFileSync(host.file('log'), distcpLog({ 'Files Copied': 6 }));
  host.hadoop(
    `echo $$ > ${host.file('copying')}; while [ ! -e ${host.file('go')} ]; do sleep 0.02; done; cat ${host.file('log')}`,
  );
  return host;
}

/** The pid of its distcp, once that runs. */
export async function copying(host: EdgeHost): Promise<number> {
  await appears(host.file('copying'));
  return Number(readFileSync(host.file('copying'), 'utf8'));
}

export async function appears(file: string): Promise<void> {
  while (!existsSync(file) || readFileSync(file, 'utf8') === '') await sleep(10);
}

/** A zombie, which only waits for somebody to ask how it ended, does not live. */
export const lives = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};
