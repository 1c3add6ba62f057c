import type { Batch } from './shell.ts';

/** A member of a batch has come to a question that has no answer yet. */
export class Asks extends Error {
  override readonly name = 'Asks';
  readonly commands: readonly string[];
  constructor(commands: readonly string[]) {
    super(`a member asks: ${commands.join(', ')}`);
    this.commands = commands;
  }
}

const isOut = (code: string): boolean => ['timeout', 'unknown-host', 'connection', 'no-kdc'].includes(code);

/** `answer_members` of the script. @returns an answer for each question, in their order */
export const answersTo = (
  questions: readonly (readonly string[])[],
  ask: (commands: readonly string[]) => Batch,
): readonly Batch[] => {
  const answers: Batch[] = [];
  let dead = { service: '', why: '' };
  while (answers.length < questions.length) {
    const { service, why } = dead;
    const left = questions.slice(answers.length);
    const parts = left.map((commands) => {
      const at = service === '' ? -1 : commands.findIndex((it) => it.includes(service));
      return at < 0 ? commands : commands.slice(0, at);
    });
    const commands = parts.flat();
    const asked = commands.length > 0 ? ask(commands) : { sections: [], failedAt: 0, error: '', code: '' };
    let first = 0;
    for (const [n, part] of parts.entries()) {
      const sections = asked.sections.slice(first, first + part.length);
      if (asked.failedAt > 0 && asked.failedAt <= first + part.length) {
        answers.push({ ...asked, sections, failedAt: asked.failedAt - first });
        const [out = ''] = /o3:\/\/[^/]*\//.exec(commands[asked.failedAt - 1] ?? '') ?? [];
        if (isOut(asked.code)) dead = { service: out, why: asked.error };
        break;
      }
      const isCut = part.length < (left[n]?.length ?? 0);
      answers.push(
        isCut
          ? {
              sections,
              failedAt: part.length + 1,
              code: 'connection',
              error: `it was not asked, as it did not answer: ${why}`,
            }
          : { sections, failedAt: 0, error: '', code: '' },
      );
      first += part.length;
    }
  }
  return answers;
};
