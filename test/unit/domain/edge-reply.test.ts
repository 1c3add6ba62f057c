import { describe, expect, it } from 'vitest';
import { parseEdgeReply } from '../../../functions/core/domain/edge-reply.ts';
import { OperationId } from '../../../functions/core/domain/names.ts';

const operation = OperationId.parse(`op-${'a'.repeat(24)}-001`);
const good = {
  version: 1,
  operation,
  verb: 'diff',
  outcome: 'ok',
  code: '',
  message: '',
  host: 'edge-1',
  startedAt: 1,
  endedAt: 2,
  jvmStarts: 1,
  data: { status: 'done', empty: false, reason: '', waitMs: null },
};
const marked = (json: string) => `-----BEGIN OZONE-DR REPLY-----\n${json}\n-----END OZONE-DR REPLY-----\n`;
const reply = (change: object = {}) => marked(JSON.stringify({ ...good, ...change }));

describe('the reply of an edge host', () => {
  it('is read behind whatever was printed before it', () => {
    expect(parseEdgeReply(`WARN some library\n${reply()}`, operation)).toMatchObject({ reply: { verb: 'diff' } });
  });

  it.each([
    ['nothing at all', '', 'no reply'],
    ['output that was cut inside the reply', reply().slice(0, 120), 'no end marker'],
    ['output that was cut at the end marker', reply().slice(0, -6), 'no end marker'],
    ['something printed after the reply', `${reply()}oops`, 'no end marker'],
    ['a truncation note of Run Command', `${reply().slice(0, 90)}\n---Output truncated---`, 'no end marker'],
    ['text that is not JSON', marked('{"version":1,'), 'not JSON'],
    ['a log line inside the markers', marked(`WARN x\n${JSON.stringify(good)}`), 'not JSON'],
    ['JSON of another shape', marked('[]'), 'not as agreed'],
    ['another version', reply({ version: 2 }), 'not as agreed'],
    ['a verb that nobody asked for', reply({ verb: 'erase' }), 'not as agreed'],
    ['a status that Ozone does not have', reply({ data: { ...good.data, status: 'maybe' } }), 'not as agreed'],
    ['a negative count', reply({ jvmStarts: -1 }), 'not as agreed'],
    ['success without data', reply({ data: null }), 'has no data'],
    ['the reply of another operation', reply({ operation: `op-${'b'.repeat(24)}-001` }), 'is of op-b'],
  ])('%s is no reply', (_sentence, output, problem) => {
    expect(parseEdgeReply(output, operation)).toMatchObject({ problem: expect.stringContaining(problem) });
  });

  it('without an operation is the refusal of a host whose agent passes no parameters', () => {
    const output = reply({
      operation: '',
      verb: '',
      outcome: 'refused',
      code: 'bad-parameter',
      message: 'agent too old',
    });
    expect(parseEdgeReply(output, operation)).toMatchObject({ refusal: 'agent too old' });
  });

  it('counts only as a whole: an older block before a cut one is not taken for it', () => {
    expect(parseEdgeReply(reply() + reply().slice(0, 100), operation)).toHaveProperty('problem');
  });
});
