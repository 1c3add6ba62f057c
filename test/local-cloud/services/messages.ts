import { randomUUID } from 'node:crypto';
import { AwsError } from '../errors.ts';
import type { Json } from '../json.ts';
import type { World } from '../world.ts';
import type { Actions } from './requests.ts';

/** A message that reached a topic or a queue. */
export interface Message {
  readonly at: number;
  readonly subject: string | undefined;
  readonly body: string;
}

/** SNS topics and SQS queues: what is published or sent is kept, for tests to read. Subscriptions deliver nothing. */
export class Messages {
  readonly #world: World;
  readonly #byArn = new Map<string, Message[]>();

  constructor(world: World) {
    this.#world = world;
  }

  create(arn: string): void {
    this.#byArn.set(arn, []);
  }

  /** Messages of a topic or queue, by its ARN. */
  of(arn: string): readonly Message[] {
    return this.#list(arn);
  }

  /** Queues with what waits in them: nobody receives, so all is visible. */
  queues(): readonly { readonly name: string; readonly visible: number }[] {
    return [...this.#byArn]
      .filter(([arn]) => arn.startsWith('arn:aws:sqs:'))
      .map(([arn, all]) => ({ name: arn.split(':').at(-1) ?? '', visible: all.length }));
  }

  /** As a person who empties a queue. */
  purge(arn: string): void {
    this.#list(arn).length = 0;
  }

  send(arn: string, body: Json, subject?: string): void {
    this.#list(arn).push({
      at: this.#world.clock.now(),
      subject,
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  }

  /** SNS, query protocol. */
  readonly topicActions: Actions = {
    Publish: ({ TopicArn: arn, Message: message, Subject: subject }, caller) => {
      if (typeof arn !== 'string' || typeof message !== 'string')
        throw new AwsError('InvalidParameter', 'Publish needs TopicArn and Message');
      this.#world.authorize(caller, 'sns:Publish', arn);
      this.#world.counters.add('sns.Publish');
      this.send(arn, message, typeof subject === 'string' ? subject : undefined);
      return { MessageId: randomUUID() };
    },
  };

  #list(arn: string): Message[] {
    const found = this.#byArn.get(arn);
    if (!found) throw new AwsError('NotFound', `there is no topic or queue ${arn}`, { status: 404 });
    return found;
  }
}
