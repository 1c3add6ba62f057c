import { expect } from 'vitest';
import type { Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';

const refused = (message: string) => ({ exit: 255, stdout: '', stderr: `${message}\n` });
const badName = (name: string, why: string) =>
  refused(`INVALID_SNAPSHOT_ERROR Invalid snapshot name: ${name}\nsnapshot name ${why}`);

/** Several illegal names, each refused with its own two lines. */
const namesRefused = (rows: readonly (readonly [string, string])[]) => async (stage: Stage) => {
  for (const [name, why] of rows) {
    expect(await stage.sh('snapshot', 'create', stage.o3(), '--', name)).toEqual(badName(name, why));
  }
};

export const errorScenarios: readonly Scenario[] = [
  {
    name: 'an underscore or an upper case letter in a snapshot name is refused',
    play: namesRefused([
      ['s1_bad', 'has an unsupported character : _'],
      ['20260101T0000Z', 'does not support uppercase characters'],
    ]),
  },
  {
    name: 'a snapshot name shorter than 3 or longer than 63 characters is refused',
    play: namesRefused([
      ['s1', "'s1' is too short, valid length is 3-63 characters"],
      ['a'.repeat(64), `'${'a'.repeat(64)}' is too long, valid length is 3-63 characters`],
    ]),
  },
  {
    name: 'a snapshot name of digits, or with a dash at the edge, is refused',
    play: namesRefused([
      ['123', 'cannot be an IPv4 address or all numeric'],
      ['-ab', 'cannot start with a period or dash'],
      ['ab-', 'cannot end with a period or dash'],
    ]),
  },
  {
    name: 'a snapshot name with two periods, or a period beside a dash, is refused',
    play: namesRefused([
      ['a..b', 'should not have two contiguous periods'],
      ['a-.b', 'should not have period after dash'],
      ['a.-b', 'should not have dash after period'],
    ]),
  },
  {
    name: 'a snapshot name of exactly 3 or 63 characters is taken',
    async play(stage) {
      await stage.given(`snapshot create ${stage.o3()} abc`, `snapshot create ${stage.o3()} ${'a'.repeat(63)}`);
      const listed = JSON.parse((await stage.sh('snapshot', 'list', stage.o3())).stdout);
      expect(listed.map((s: { name: string }) => s.name)).toEqual(['a'.repeat(63), 'abc']);
    },
  },
  {
    name: 'a name that is taken is refused',
    async play(stage) {
      await stage.snapshots('prod', 's-1');
      expect(await stage.sh('snapshot', 'create', stage.o3(), 's-1')).toEqual(
        refused('FILE_ALREADY_EXISTS Snapshot already exists'),
      );
    },
  },
  {
    name: 'a bucket that is missing is named by every snapshot command',
    async play(stage) {
      const missing = `${stage.o3()}-none`;
      const text = refused(`BUCKET_NOT_FOUND Bucket not found: ${stage.volume}/${stage.bucket}-none`);
      expect(await stage.sh('snapshot', 'create', missing, 's-1')).toEqual(text);
      expect(await stage.sh('snapshot', 'list', missing)).toEqual(text);
      expect(await stage.sh('bucket', 'info', missing)).toEqual(text);
    },
  },
  {
    name: 'a volume that is missing is named, in words that differ between commands',
    async play(stage) {
      expect(await stage.sh('snapshot', 'create', 'o3://prod/no-volume/bkt', 's-1')).toEqual(
        refused('VOLUME_NOT_FOUND Volume not found: no-volume'),
      );
      expect(await stage.sh('bucket', 'info', 'o3://prod/no-volume/bkt')).toEqual(
        refused('VOLUME_NOT_FOUND Volume no-volume is not found'),
      );
    },
  },
  {
    name: 'a service id or host that nobody configured cannot be resolved',
    async play(stage) {
      expect(await stage.sh('snapshot', 'list', 'o3://nosuch/vol/bkt')).toEqual(
        refused('Cannot resolve OM host nosuch in the URI'),
      );
    },
  },
  {
    name: 'an address without a service id is refused when several are configured',
    async play(stage) {
      expect(await stage.sh('snapshot', 'list', `/${stage.volume}/${stage.bucket}`)).toEqual(
        refused('Service ID or host name must not be omitted when multiple ozone.om.service.ids is defined.'),
      );
    },
  },
  {
    name: 'an address of a key where a bucket belongs is a usage error',
    async play(stage) {
      const ran = await stage.sh('snapshot', 'create', `${stage.o3()}/a`, 's-1');
      expect(ran.exit).toBe(2);
      expect(ran.stderr.split('\n')[0]).toBe(
        `Invalid value for positional parameter at index 0 (<value>): cannot convert '${stage.o3()}/a' to OzoneAddress ` +
          '(org.apache.hadoop.ozone.client.OzoneClientException: Invalid bucket name. Delimiters (/) not allowed in bucket name)',
      );
    },
  },
  {
    name: 'a missing parameter, an unknown option or one word too many is a usage error',
    async play(stage) {
      const rows: readonly (readonly [readonly string[], string])[] = [
        [['snapshot', 'create'], "Missing required parameter: '<value>'"],
        [['snapshot', 'info', stage.o3()], "Missing required parameter: '<snapshotName>'"],
        [['snapshot', 'create', '--foo', stage.o3(), 's-1'], "Unknown option: '--foo'"],
        [['snapshot', 'create', stage.o3(), 's-1', 'more'], "Unmatched argument at index 4: 'more'"],
      ];
      for (const [words, message] of rows) {
        const ran = await stage.sh(...words);
        expect({ exit: ran.exit, stdout: ran.stdout, first: ran.stderr.split('\n')[0] }).toEqual({
          exit: 2,
          stdout: '',
          first: message,
        });
      }
    },
  },
  {
    name: 'a word that is no command of the launcher ends with 1',
    async play(stage) {
      const ran = await stage.driver.run(['ozone', '--uri', 'o3fs://x:9878', 'sh', 'snapshot', 'list', stage.o3()]);
      expect(ran).toEqual({
        exit: 1,
        stdout: '',
        stderr: 'ERROR: --uri is not COMMAND nor fully qualified CLASSNAME.\n',
      });
    },
  },
  {
    name: 'an Ozone Manager that nobody answers for is given up after the attempts that were allowed',
    async play(stage) {
      const down = [
        '-D',
        'ozone.om.service.ids=prod,dr,down',
        '-D',
        'ozone.om.nodes.down=om1',
        '-D',
        'ozone.om.address.down.om1=localhost:9',
      ];
      const bounded = [
        '-D',
        'ozone.client.failover.max.attempts=2',
        '-D',
        'ozone.client.wait.between.retries.millis=100',
      ];
      expect(await stage.sh(...down, ...bounded, 'snapshot', 'list', 'o3://down/vol/bkt')).toEqual(
        refused('Connection refused'),
      );
      const copy = await stage.driver.run([
        'hadoop',
        'distcp',
        ...down,
        ...bounded,
        '-update',
        stage.ofs(),
        'ofs://down/vol/bkt',
      ]);
      expect(copy.exit).toBe(255);
      expect(copy.stdout).toContain('usage: distcp OPTIONS');
      expect(copy.stderr).toMatch(/Invalid arguments: Connection refused\n$/);
    },
  },
  {
    name: 'the info, deletion or diff of a snapshot that is missing is refused, each in its own words',
    async play(stage) {
      const notFound = refused(`FILE_NOT_FOUND Snapshot '/${stage.volume}/${stage.bucket}/none' is not found.`);
      await stage.snapshots('prod', 's-1');
      expect(await stage.sh('snapshot', 'info', stage.o3(), 'none')).toEqual(notFound);
      expect(await stage.sh('snapshot', 'diff', stage.o3(), 's-1', 'none')).toEqual(notFound);
      expect(await stage.sh('snapshot', 'diff', '--get-report', '--json', stage.o3(), 's-1', 'none')).toEqual(notFound);
      expect(await stage.sh('snapshot', 'delete', stage.o3(), 'none')).toEqual(
        refused('FILE_NOT_FOUND Snapshot does not exist'),
      );
    },
  },
  {
    name: 'renaming a snapshot is not enabled',
    async play(stage) {
      await stage.snapshots('prod', 's-1');
      expect(await stage.sh('snapshot', 'rename', stage.o3(), 's-1', 's-2')).toEqual(
        refused('FEATURE_NOT_ENABLED Ozone snapshot rename feature is not allowed per Ozone Manager server config'),
      );
    },
  },
  {
    name: 'the live bucket is no side of a diff',
    async play(stage) {
      await stage.snapshots('prod', 's-1');
      expect(await stage.sh('snapshot', 'diff', stage.o3(), 's-1', '.')).toEqual(
        badName('.', 'cannot be an IPv4 address or all numeric'),
      );
    },
  },
];
