import { fileURLToPath } from 'node:url';
import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { BlastRadius } from '../../functions/core/domain/operation.ts';
import { type Aside, EdgeDocument } from '../constructs/edge-document.ts';

const SCRIPT = fileURLToPath(new URL('../../functions/edge-host/ozone-dr.sh', import.meta.url));

/**
 * What may be run on edge hosts: the documents that somebody sends. A stack of its own, for CloudFormation takes a
 * megabyte of template, and these are half of one; whoever sends them goes by their names.
 */
export class DocumentsStack extends Stack {
  readonly #prefix: string;
  readonly #documents = new Map<string, EdgeDocument>();

  constructor(scope: Construct, id: string, props: StackProps & { readonly prefix: string }) {
    super(scope, id, { ...props, suppressTemplateIndentation: true });
    this.#prefix = props.prefix;
  }

  /** The document of a blast radius, or one beside it, whoever sends it. */
  of(radius: BlastRadius, aside?: Aside): EdgeDocument {
    const id = `${radius}${aside ? `${aside.slice(0, 1).toUpperCase()}${aside.slice(1)}` : ''}Document`;
    const known = this.#documents.get(id);
    if (known) return known;
    const document = new EdgeDocument(this, id, {
      radius,
      ...(aside ? { aside } : {}),
      prefix: this.#prefix,
      script: SCRIPT,
    });
    this.#documents.set(id, document);
    return document;
  }
}
