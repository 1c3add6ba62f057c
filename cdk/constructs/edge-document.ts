import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { CfnDeletionPolicy } from 'aws-cdk-lib';
import { CfnDocument } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import type { BlastRadius } from '../../functions/core/domain/operation.ts';
import { type ScriptName, scriptLines } from './edge-script.ts';

const SERVICE = '[A-Za-z0-9][A-Za-z0-9.-]{0,61}(:[0-9]{2,5})?';
const RESOURCE = '[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]';
const BUCKET = `^$|^${SERVICE}(/${RESOURCE}/${RESOURCE})?$`;
const SNAPSHOT_NAME = '[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]';
const SNAPSHOT = `^$|^${SNAPSHOT_NAME}$`;
const ID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const UUID = `^$|^${ID}$`;
const TIME = '[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}Z';
const CREATED = `^$|^${TIME}$`;
/** As S3 signs it. */
const SIGNED_URL = '^$|^https?://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?/[A-Za-z0-9/?&=%._~+:@-]+$';
const YES_OR_NO = '^(yes|no)$';
const OPERATION = 'op-[0-9a-f]{24}-[0-9]{3}';
/** A member of a batch: `operation|bucket|target|targetId|base|baseSourceId|baseReplicaId|replicaCreated|fence|fenceSeed`. */
const MEMBER = `${OPERATION}\\|${RESOURCE}/${RESOURCE}\\|(${SNAPSHOT_NAME})?\\|(${ID})?\\|(${SNAPSHOT_NAME})?(\\|(${ID})?){2}\\|(${TIME})?\\|[0-9]{0,12}\\|(yes|no)?`;
/**
 * A snapshot that may be deleted, and its id: a temporary one, as distcp or as this product names them, or a recovery point.
 * Which verb deletes which, and how many at once, is for the script: Go's regular expressions allow no more than 1000
 * copies of anything, counts within counts multiplied.
 */
const REMOVABLE = `(temp${ID}s[0-9]{8}-[0-9]{6}\\.[0-9]{3}|odr-tmp-[a-z0-9.-]{1,40}|odr-[a-z0-9-]{2,33}[0-9]{8}t[0-9]{6}z-[0-9]{1,9})=${ID}`;

/** An entry of an ACL, as `ozone sh bucket setacl` takes it. */
const ACL = '(user|group|world|anonymous|client_ip):[A-Za-z0-9._@/+-]{0,100}:[rwcldxyan]{1,9}(\\[DEFAULT\\])?';

/** `*` and `?` stand for letters of a volume or a bucket. */
const GLOB = '[a-z0-9._*?-]{1,73}/[a-z0-9._*?-]{1,73}';

/** A recovery point that is looked into, and its id. */
const POINT = `odr-[a-z0-9.-]{1,59}=${ID}`;

/** Name, seconds, and whether its failure is the step's. */
const HOOK = '^$|^[a-z][a-z0-9-]{0,30}:[0-9]{1,3}:(yes|no)$';

const VERBS = {
  observe: '^(survey|diff|verify|probe|examine|compare)$',
  protect: '^(snapshot|replicate|create-bucket)$',
  destroy: '^(tidy|delete)$',
  restore: '^(create-bucket|snapshot|restore|remove-scratch|restrict)$',
  doctor: '^doctor$',
  look: '^(versions|changes|divergence|buckets)$',
  batch: '^(snapshot|seal-unchanged)$',
  yarn: '^replicate$',
} as const;

export type EdgeParameter = { readonly description: string; readonly pattern: string; readonly fallback?: string };

/**
 * The parameters of a document. Patterns are written in what java.util.regex (the API) and RE2 (the agent) read alike.
 * `$` matches before a final line end in Java: the agent and the script, which check again, refuse that one.
 */
export const edgeParameters = (script: ScriptName): Readonly<Record<string, EdgeParameter>> => ({
  operation: { description: 'operation id', pattern: `^${OPERATION}$` },
  verb: { description: 'what to do', pattern: VERBS[script] },
  source: { description: 'service/volume/bucket that is protected', pattern: BUCKET, fallback: '' },
  replica: { description: 'service/volume/bucket of the copy', pattern: BUCKET, fallback: '' },
  target: { description: 'snapshot to create, copy or compare', pattern: SNAPSHOT, fallback: '' },
  base: { description: 'snapshot to start the difference from', pattern: SNAPSHOT, fallback: '' },
  targetId: { description: 'id that the target must have', pattern: UUID, fallback: '' },
  baseSourceId: { description: 'id that the base must have on the source', pattern: UUID, fallback: '' },
  baseReplicaId: { description: 'id that the base must have on the replica', pattern: UUID, fallback: '' },
  sealId: { description: 'id that the target must have on the replica', pattern: UUID, fallback: '' },
  replicaCreated: {
    description: 'creation time that the replica bucket must have',
    pattern: CREATED,
    fallback: '',
  },
  mode: { description: 'how to copy', pattern: '^(|bootstrap|resync|incremental)$', fallback: '' },
  empty: { description: 'the replica bucket must be empty before the copy', pattern: YES_OR_NO, fallback: 'no' },
  fence: { description: 'fencing token of a mutating operation', pattern: '^[0-9]{1,12}$', fallback: '0' },
  fenceSeed: { description: 'this host has not worked on the replica before', pattern: YES_OR_NO, fallback: 'no' },
  copySeconds: { description: 'time limit of the copy, seconds', pattern: '^[0-9]{1,6}$', fallback: '0' },
  maps: { description: 'distcp -m', pattern: '^[0-9]{1,4}$', fallback: '0' },
  bandwidth: { description: 'distcp -bandwidth, MB/s per map; 0: not given', pattern: '^[0-9]{1,6}$', fallback: '0' },
  level: { description: 'what verify compares', pattern: '^(|listing|changed|rolling|full)$', fallback: '' },
  part: { description: 'part of a rolling verification, from 1', pattern: '^[0-9]{1,4}$', fallback: '0' },
  parts: { description: 'number of parts of a rolling verification', pattern: '^[0-9]{1,4}$', fallback: '0' },
  brake: {
    description: 'most deletes and renames that a copy may bring; empty: any',
    pattern: '^[0-9]{0,9}$',
    fallback: '',
  },
  supersedes: { description: 'older copy that this one may end', pattern: `^$|^${OPERATION}$`, fallback: '' },
  detached: { description: 'the copy goes on without its command', pattern: YES_OR_NO, fallback: 'no' },
  queue: {
    description: 'queue of YARN to copy in; empty: on the host',
    pattern: '^$|^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$',
    fallback: '',
  },
  adopts: { description: 'copy whose application is followed', pattern: `^$|^${OPERATION}$`, fallback: '' },
  probed: { description: 'operation that probe looks for', pattern: `^$|^${OPERATION}$`, fallback: '' },
  remove: {
    description: 'snapshots to delete, of the replica by tidy, of the source by delete: name=id, commas between',
    pattern: `^$|^${REMOVABLE}(,${REMOVABLE})*$`,
    fallback: '',
  },
  layout: { description: 'of a new bucket', pattern: '^(|FILE_SYSTEM_OPTIMIZED|LEGACY)$', fallback: '' },
  replication: {
    description: 'of a new bucket; empty: as the cluster has it',
    pattern: '^$|^RATIS/(ONE|THREE)$|^EC/[a-z]{1,8}-[0-9]{1,2}-[0-9]{1,2}-[0-9]{1,5}k$',
    fallback: '',
  },
  quotaBytes: { description: 'of a new bucket; 0: none', pattern: '^[0-9]{1,18}$', fallback: '0' },
  quotaNamespace: { description: 'of a new bucket; 0: none', pattern: '^[0-9]{1,18}$', fallback: '0' },
  encryptionKey: {
    description: 'name of the key of a new bucket',
    pattern: '^$|^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$',
    fallback: '',
  },
  narrow: {
    description: 'what a resync finds in the replica, name=id: only what changed is compared',
    pattern: `^$|^odr-tmp-[a-z0-9.-]{1,40}=${ID}$`,
    fallback: '',
  },
  selection: {
    description: 'SHA-256 of the list of paths to work on; empty: the whole bucket',
    pattern: '^$|^[0-9a-f]{64}$',
    fallback: '',
  },
  since: {
    description: 'instead of a selection: what changed since this snapshot; of divergence: of the replica',
    pattern: SNAPSHOT,
    fallback: '',
  },
  sinceId: { description: 'id that this snapshot must have', pattern: UUID, fallback: '' },
  selectionUrl: { description: 'where that list can be read, signed', pattern: SIGNED_URL, fallback: '' },
  overwrite: {
    description: 'what a restore does with a file that is at its target',
    pattern: '^(|never|if-different|always)$',
    fallback: '',
  },
  deleteExtra: { description: 'a restore deletes what the point has not', pattern: YES_OR_NO, fallback: 'no' },
  exact: { description: 'what is at the target only makes it different', pattern: YES_OR_NO, fallback: 'no' },
  targetCreated: {
    description: 'creation time that the bucket must have which is restored into, restricted, or removed',
    pattern: CREATED,
    fallback: '',
  },
  acls: {
    description: 'what restrict makes the ACL of the bucket; empty: only reading and listing is left of it',
    pattern: `^$|^${ACL}(,${ACL})*$`,
    fallback: '',
  },
  policy: { description: 'whose snapshot it is', pattern: '^$|^[a-z][a-z0-9-]{1,31}$', fallback: '' },
  hookBefore: { description: 'program of the host to run before it', pattern: HOOK, fallback: '' },
  hookAfter: { description: 'program of the host to run after it', pattern: HOOK, fallback: '' },
  points: {
    description: 'recovery points to look for a path in: name=id, commas between',
    pattern: `^$|^${POINT}(,${POINT})*$`,
    fallback: '',
  },
  // At most 1024 bytes, in two counts: Go's regular expressions allow no more than 1000 in one.
  path64: {
    description: 'that path, base64',
    pattern: '^[A-Za-z0-9+/]{0,700}[A-Za-z0-9+/]{0,668}={0,2}$',
    fallback: '',
  },
  token: { description: 'page of the changes, as the one before named it', pattern: '^[0-9]{0,40}$', fallback: '' },
  limit: { description: 'most changes on a page', pattern: '^[0-9]{1,4}$', fallback: '0' },
  buckets: {
    description: 'what doctor looks at: volume/bucket, commas between',
    pattern: `^$|^${RESOURCE}/${RESOURCE}(,${RESOURCE}/${RESOURCE})*$`,
    fallback: '',
  },
  globs: {
    description: 'whose volumes are listed: volume/bucket with * and ?, commas between',
    pattern: `^$|^${GLOB}(,${GLOB})*$`,
    fallback: '',
  },
  batch: {
    description: 'buckets of a batch, semicolons between; source and replica then name services',
    pattern: `^$|^${MEMBER}(;${MEMBER})*$`,
    fallback: '',
  },
  executionTimeout: { description: 'time limit that the script keeps, seconds', pattern: '^[0-9]{1,6}$' },
  commandTimeout: {
    description: 'time limit that the agent keeps, seconds; at most 48 hours',
    pattern: '^[0-9]{1,6}$',
    fallback: '172800',
  },
});

/**
 * The one parameter that is put into the document as text, outside of the script: whether an agent also fills in text
 * for a parameter of ENV_VAR is not documented, and a time limit that it cannot read would silently be one hour.
 */
const AGENT_TIMEOUT = 'commandTimeout';

/** Documents are at most 64 KB (SendCommand and CreateDocument, API reference of Systems Manager). */
const MAX_BYTES = 64 * 1024;

/** Documents beside that of a blast radius, for the same identity and sent by the same role. */
export type Aside = Exclude<ScriptName, BlastRadius>;

export type EdgeDocumentProps = {
  readonly radius: BlastRadius;
  /** First part of the physical name. */
  readonly prefix: string;
  /** Path of the script that runs on the host. */
  readonly script: string;
  /**
   * Another document than the one with the verbs of the blast radius: `doctor` asks how a host is for them, `look` has
   * those of observe, `batch` and `yarn` those of protect for which there is no room in one.
   */
  readonly aside?: Aside;
};

/**
 * The edge host script as a Command document (schema 2.2) that allows the verbs of one blast radius.
 *
 * Its name carries a hash of its content, and documents that are no longer in the template stay in the account: a run
 * that began before a deployment goes on with the document that its function versions know.
 */
export class EdgeDocument extends Construct {
  readonly documentName: string;

  constructor(scope: Construct, id: string, props: EdgeDocumentProps) {
    super(scope, id);
    const content = documentContent(props.radius, props.aside, readFileSync(props.script, 'utf8'));
    const text = JSON.stringify(content);
    if (Buffer.byteLength(text) >= MAX_BYTES)
      throw new Error(
        `${props.script}: the document is ${Buffer.byteLength(text)} bytes, shorten it below ${MAX_BYTES}`,
      );
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 12);
    this.documentName = `${documentPrefix(props.prefix, props.radius)}${props.aside ? `${props.aside}-` : ''}${hash}`;
    const document = new CfnDocument(this, 'Document', {
      name: this.documentName,
      documentType: 'Command',
      documentFormat: 'JSON',
      targetType: '/',
      updateMethod: 'Replace',
      content,
    });
    document.cfnOptions.deletionPolicy = CfnDeletionPolicy.RETAIN;
    document.cfnOptions.updateReplacePolicy = CfnDeletionPolicy.RETAIN;
  }
}

/** What the names of all documents of one blast radius, present and past, begin with. */
export const documentPrefix = (prefix: string, radius: BlastRadius): string => `${prefix}-${radius}-`;

function documentContent(radius: BlastRadius, aside: Aside | undefined, script: string) {
  const name = aside ?? radius;
  const [shebang, ...rest] = scriptLines(script, name);
  return {
    schemaVersion: '2.2',
    description: `Ozone DR, ${radius}: ${aside === 'doctor' ? 'how an edge host is for it' : 'one operation on an edge host'}`,
    parameters: Object.fromEntries(
      // Their descriptions are for whoever reads them here: a document has no room for them.
      Object.entries(edgeParameters(name)).map(([name, { pattern, fallback }]) => [
        name,
        {
          type: 'String',
          allowedPattern: pattern,
          ...(fallback === undefined ? {} : { default: fallback }),
          ...(name === AGENT_TIMEOUT ? {} : { interpolationType: 'ENV_VAR' }),
        },
      ]),
    ),
    mainSteps: [
      {
        action: 'aws:runShellScript',
        name: 'run',
        precondition: { StringEquals: ['platformType', 'Linux'] },
        inputs: {
          timeoutSeconds: `{{ ${AGENT_TIMEOUT} }}`,
          // One element for all: one for each line would cost a byte a line. The agent joins them by line ends.
          runCommand: [shebang, `OZONE_DR_DOCUMENT=${aside ? `${aside}-` : ''}${radius}`, rest.join('\n')],
        },
      },
    ],
  };
}
