import type { BlastRadius, EdgeParameters } from '../../functions/core/domain/operation.ts';

export type Verb = EdgeParameters['verb'];
export type Parameters = Readonly<Record<string, string>>;

const service = '[A-Za-z0-9][A-Za-z0-9.-]{0,61}(:[0-9]{2,5})?';
const name = '[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]';
const bucket = `^$|^${service}(/${name}/${name})?$`;
const operation = 'op-[0-9a-f]{24}-[0-9]{3}';
const id = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const uuid = `^$|^${id}$`;
const glob = '[a-z0-9._*?-]{1,73}/[a-z0-9._*?-]{1,73}';
const point = `odr-[a-z0-9.-]{1,59}=${id}`;
const time = '[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}Z';
const created = `^$|^${time}$`;
const acl = '(user|group|world|anonymous|client_ip):[A-Za-z0-9._@/+-]{0,100}:[rwcldxyan]{1,9}(\\[DEFAULT\\])?';
const hook = '^$|^[a-z][a-z0-9-]{0,30}:[0-9]{1,3}:(yes|no)$';
const snapshotName = '[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]';
const snapshot = `^$|^${snapshotName}$`;
const member = `${operation}\\|${name}/${name}\\|(${snapshotName})?\\|(${id})?\\|(${snapshotName})?(\\|(${id})?){2}\\|(${time})?\\|[0-9]{0,12}\\|(yes|no)?`;

/** The script's patterns; `operation`, `verb` and `batch` are read first. */
const PATTERNS: Readonly<Record<string, string>> = {
  operation: `^${operation}$`,
  verb: '^[a-z-]{1,20}$',
  batch: `^$|^${member}(;${member})*$`,
  source: bucket,
  replica: bucket,
  target: snapshot,
  base: snapshot,
  targetId: uuid,
  baseSourceId: uuid,
  baseReplicaId: uuid,
  sealId: uuid,
  replicaCreated: created,
  mode: '^(|bootstrap|resync|incremental)$',
  empty: '^(yes|no)$',
  fence: '^[0-9]{1,12}$',
  fenceSeed: '^(yes|no)$',
  copySeconds: '^[0-9]{1,6}$',
  maps: '^[0-9]{1,4}$',
  bandwidth: '^[0-9]{1,6}$',
  executionTimeout: '^[0-9]{1,6}$',
  level: '^(|listing|changed|rolling|full)$',
  part: '^[0-9]{1,4}$',
  parts: '^[0-9]{1,4}$',
  brake: '^[0-9]{0,9}$',
  supersedes: `^$|^${operation}$`,
  detached: '^(yes|no)$',
  queue: '^$|^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$',
  adopts: `^$|^${operation}$`,
  probed: `^$|^${operation}$`,
  remove: '^$|^[a-z0-9.-]+=[0-9a-f-]+(,[a-z0-9.-]+=[0-9a-f-]+)*$',
  layout: '^(|FILE_SYSTEM_OPTIMIZED|LEGACY)$',
  replication: '^$|^RATIS/(ONE|THREE)$|^EC/[a-z]{1,8}-[0-9]{1,2}-[0-9]{1,2}-[0-9]{1,5}k$',
  quotaBytes: '^[0-9]{1,18}$',
  quotaNamespace: '^[0-9]{1,18}$',
  encryptionKey: '^$|^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$',
  narrow: `^$|^odr-tmp-[a-z0-9.-]{1,40}=${id}$`,
  acls: `^$|^${acl}(,${acl})*$`,
  points: `^$|^${point}(,${point})*$`,
  path64: '^[A-Za-z0-9+/]{0,700}[A-Za-z0-9+/]{0,668}={0,2}$',
  policy: '^$|^[a-z][a-z0-9-]{1,31}$',
  hookBefore: hook,
  hookAfter: hook,
  token: '^[0-9]{0,40}$',
  limit: '^[0-9]{1,4}$',
  buckets: `^$|^${name}/${name}(,${name}/${name})*$`,
  globs: `^$|^${glob}(,${glob})*$`,
  selection: '^$|^[0-9a-f]{64}$',
  since: snapshot,
  sinceId: uuid,
  selectionUrl: '^$|^https?://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?/[A-Za-z0-9/?&=%._~+:@-]+$',
  overwrite: '^(|never|if-different|always)$',
  deleteExtra: '^(yes|no)$',
  exact: '^(yes|no)$',
  targetCreated: created,
};

/** What the documents protect and restore run is of both; what every document runs is of all. */
const VERBS: Readonly<
  Record<Verb, { readonly document: BlastRadius | 'both' | 'all'; readonly needs: readonly string[] }>
> = {
  survey: { document: 'observe', needs: ['source'] },
  diff: { document: 'observe', needs: ['source', 'base', 'target'] },
  verify: { document: 'observe', needs: ['source', 'replica', 'target', 'targetId', 'sealId', 'level'] },
  snapshot: { document: 'both', needs: ['source', 'target'] },
  replicate: { document: 'protect', needs: ['source', 'replica', 'target', 'targetId', 'mode'] },
  'seal-unchanged': {
    document: 'protect',
    needs: ['source', 'replica', 'target', 'targetId', 'base', 'baseSourceId', 'baseReplicaId', 'replicaCreated'],
  },
  'create-bucket': { document: 'both', needs: ['replica', 'layout'] },
  probe: { document: 'observe', needs: ['probed'] },
  tidy: { document: 'destroy', needs: ['replica', 'remove'] },
  delete: { document: 'destroy', needs: ['source', 'remove'] },
  examine: { document: 'observe', needs: ['source', 'replica', 'target', 'targetId'] },
  compare: { document: 'observe', needs: ['source', 'replica', 'target', 'targetId', 'level'] },
  restore: { document: 'restore', needs: ['source', 'replica', 'target', 'targetId', 'overwrite', 'targetCreated'] },
  'remove-scratch': { document: 'restore', needs: ['replica', 'targetCreated'] },
  restrict: { document: 'restore', needs: ['replica', 'targetCreated'] },
  versions: { document: 'observe', needs: ['source', 'points', 'path64'] },
  changes: { document: 'observe', needs: ['source', 'base', 'target', 'baseSourceId', 'targetId'] },
  divergence: {
    document: 'observe',
    needs: ['source', 'replica', 'base', 'baseSourceId', 'target', 'targetId', 'since', 'sinceId'],
  },
  buckets: { document: 'observe', needs: ['source', 'globs'] },
  doctor: { document: 'all', needs: ['source', 'buckets'] },
};

/** What each verb deletes, and how many at once. */
const REMOVALS = {
  tidy: { most: 10, item: new RegExp(`^(temp${id}s[0-9]{8}-[0-9]{6}\\.[0-9]{3}|odr-tmp-[a-z0-9.-]{1,40})=${id}$`) },
  delete: {
    most: 100,
    item: new RegExp(`^odr-[a-z][a-z0-9-]{0,30}[a-z0-9]-[0-9]{8}t[0-9]{6}z-[1-9][0-9]{0,8}=${id}$`),
  },
};

/** Why these are not deleted by that verb. */
const whyNotRemoved = (verb: keyof typeof REMOVALS, remove = ''): string | undefined => {
  const { most, item } = REMOVALS[verb];
  const items = remove.split(',');
  const names = items.map((it) => it.replace(/=.*/, ''));
  const other = items.find((it) => !item.test(it));
  if (other) return `${verb} does not delete ${other}`;
  if (items.length > most) return `${verb} deletes at most ${most} snapshots`;
  if (new Set(names).size < names.length) return 'a snapshot is named twice';
  if (verb === 'delete' && names.some((name) => name.startsWith('odr-tmp-')))
    return 'delete does not delete temporary snapshots';
  return undefined;
};

/** The path that `versions` looks for; undefined when it is none within a bucket. */
export const pathOf = (path64: string): string | undefined => {
  const bytes = Buffer.from(path64, 'base64');
  const path = bytes.toString();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  if (!Buffer.from(path).equals(bytes) || bytes.length > 1024 || /[\u0000-\u001f\u007f]/.test(path)) return undefined;
  return /\/\.{0,2}\//.test(`/${path}/`) || `${path}/`.startsWith('.snapshot/') ? undefined : path;
};

const whyNotLookedFor = ({ points = '', path64 = '' }: Parameters): string | undefined => {
  if (points.split(',').length > 100) return 'versions looks into at most 100 points';
  if (Buffer.from(path64, 'base64').toString('base64') !== path64) return 'path64 is not base64';
  return pathOf(path64) === undefined
    ? 'path64 is no path within the bucket: no / at its ends, no empty, . or .. parts, no control characters, not below .snapshot, UTF-8, at most 1024 bytes'
    : undefined;
};

const isVerb = (text: string): text is Verb => Object.hasOwn(VERBS, text);

interface Refusal {
  readonly code: 'bad-parameter' | 'verb-not-allowed' | 'scratch-name';
  readonly message: string;
}

export type Read = { readonly checked: Parameters } & (
  | { readonly verb: Verb /** Of a batch: their parameters. */; readonly members?: readonly Parameters[] }
  | Refusal
);

/** `read_parameters` of the script: what was passed, checked once more. `checked` is what had passed so far. */
export const readParameters = (document: BlastRadius, given: Parameters): Read => {
  const checked: Record<string, string> = {};
  const bad = (message: string): Read => ({ code: 'bad-parameter', message, checked });
  for (const [parameter, pattern] of Object.entries(PATTERNS)) {
    const value = given[parameter];
    if (value === undefined)
      return bad(`parameter ${parameter} was not passed in the environment: the SSM agent of this host is too old`);
    if (!new RegExp(pattern).test(value)) return bad(`parameter ${parameter} does not match ${pattern}`);
    checked[parameter] = value;
  }
  const { verb = '' } = checked;
  const isOfDocument = (known: Verb): boolean =>
    VERBS[known].document === document ||
    VERBS[known].document === 'all' ||
    (VERBS[known].document === 'both' && (document === 'protect' || document === 'restore'));
  if (!isVerb(verb) || !isOfDocument(verb))
    return { code: 'verb-not-allowed', message: `the document ${document} does not run the verb ${verb}`, checked };
  if (checked.batch) return readBatch(document, verb, checked);
  const refusal = whyRefused(verb, checked);
  return refusal ? { ...refusal, checked } : { verb, checked };
};

const MEMBER_FIELDS =
  'operation bucket target targetId base baseSourceId baseReplicaId replicaCreated fence fenceSeed'.split(' ');

/** `check_batch` and `member_parameters` of the script. */
const readBatch = (document: BlastRadius, verb: Verb, checked: Parameters): Read => {
  const bad = (message: string): Read => ({ code: 'bad-parameter', message, checked });
  if (document !== 'observe' && document !== 'protect') return bad(`the document ${document} takes no batch`);
  if (!['survey', 'snapshot', 'seal-unchanged'].includes(verb)) return bad(`${verb} takes no batch`);
  const { source = '', replica = '', batch = '', operation } = checked;
  const withBucket = ['source', 'replica'].find((side) => checked[side]?.includes('/'));
  if (withBucket) return bad(`of a batch ${withBucket} is a service, its members name the buckets`);
  if (source === '') return bad('a batch needs the parameter source');
  const members = batch.split(';').map((line): Parameters => {
    const fields = line.split('|').map((value, n) => [MEMBER_FIELDS[n] ?? '', value]);
    const own: Parameters = { ...checked, ...Object.fromEntries(fields), batch: '' };
    return {
      ...own,
      source: `${source}/${own.bucket}`,
      replica: replica && `${replica}/${own.bucket}`,
      fence: own.fence || '0',
      fenceSeed: own.fenceSeed || 'no',
    };
  });
  if (members.length > 25) return bad('a batch has at most 25 members');
  if (new Set([operation, ...members.map((it) => it.operation)]).size <= members.length)
    return bad('an operation is there twice');
  return { verb, checked, members };
};

/** `check_parameters` of the script. */
export const whyRefused = (verb: Verb, checked: Parameters): Refusal | undefined => {
  const bad = (message: string): Refusal => ({ code: 'bad-parameter', message });
  const { mode, base, target, replicaCreated, empty } = checked;
  const withoutBucket = ['source', 'replica'].find((side) => checked[side] && !checked[side].includes('/'));
  if (withoutBucket) return bad(`${withoutBucket} names no bucket`);
  const missing = (needed: readonly string[]) => needed.find((it) => checked[it] === '');
  const needed = missing(VERBS[verb].needs);
  if (needed) return bad(`${verb} needs the parameter ${needed}`);
  if (verb === 'replicate') {
    if (checked.supersedes === checked.operation) return bad('an operation cannot supersede itself');
    if (['fence', 'copySeconds', 'maps'].some((it) => Number(checked[it]) === 0))
      return bad('fence, copySeconds and maps must not be 0');
    if (checked.source === checked.replica) return bad('source and replica are the same bucket');
    if (replicaCreated === '' && empty !== 'yes')
      return bad('replicaCreated is needed for a bucket that was enrolled before');
    if (checked.narrow !== '' && mode !== 'resync') return bad('only a resync can be narrowed');
    const isBased = mode === 'incremental' || checked.narrow !== '';
    const unnamed = isBased ? missing(['base', 'baseSourceId', 'baseReplicaId']) : undefined;
    if (unnamed) return bad(`a copy from a base needs the parameter ${unnamed}`);
  }
  if (verb === 'seal-unchanged') {
    if (Number(checked.fence) === 0) return bad('fence must not be 0');
    if (checked.source === checked.replica) return bad('source and replica are the same bucket');
  }
  if (verb === 'verify') {
    const [part, parts] = [Number(checked.part), Number(checked.parts)];
    if (checked.level === 'rolling' && !(part >= 1 && part <= parts)) return bad('part must be from 1 to parts');
    if (base !== '' && missing(['baseSourceId']))
      return bad('a comparison since a base needs the parameter baseSourceId');
  }
  if (verb === 'examine' || verb === 'compare' || verb === 'restore') {
    if ((checked.selection === '') !== (checked.selectionUrl === '')) return bad('a selection is its hash and its URL');
    if (checked.since !== '' && checked.selection !== '')
      return bad('what changed since a snapshot is a selection of its own');
    if (checked.since !== '' && missing(['sinceId'])) return bad('since needs the parameter sinceId');
    if ((checked.selectionUrl ?? '').length > 8000) return bad('the URL of the selection is too long');
  }
  if (verb === 'compare' && checked.level !== 'listing' && checked.level !== 'full')
    return bad('compare has the levels listing and full');
  if (verb === 'restore') {
    if (['fence', 'copySeconds', 'maps'].some((it) => Number(checked[it]) === 0))
      return bad('fence, copySeconds and maps must not be 0');
    if (checked.deleteExtra === 'yes' && checked.overwrite === 'never')
      return bad('what may overwrite nothing may delete nothing either');
    if (checked.deleteExtra === 'yes' && checked.since !== '')
      return bad('of what changed since a snapshot nothing is extra');
  }
  if (verb === 'remove-scratch' && !/\/odr-drill-[a-z0-9.-]+$/.test(checked.replica ?? ''))
    return { code: 'scratch-name', message: `${checked.replica} is no scratch bucket by its name` };
  const notRemoved = verb === 'tidy' || verb === 'delete' ? whyNotRemoved(verb, checked.remove) : undefined;
  if (notRemoved) return bad(notRemoved);
  const notLookedFor = verb === 'versions' ? whyNotLookedFor(checked) : undefined;
  if (notLookedFor) return bad(notLookedFor);
  if (verb === 'changes' && !(Number(checked.limit) >= 1 && Number(checked.limit) <= 100))
    return bad('limit must be from 1 to 100');
  if (verb === 'doctor' && (checked.buckets ?? '').split(',').length > 20)
    return bad('doctor looks at no more than 20 buckets');
  if (base !== '' && base === target) return bad('base and target are the same snapshot');
  return undefined;
};
