import { BlastRadius } from '../../functions/core/domain/operation.ts';

/** What a script may be cut to: a blast radius, the doctor, who asks for the verbs of one, what an operator looks at, batches that protect, or copies on YARN. */
export const SCRIPTS = [...BlastRadius.options, 'doctor', 'look', 'batch', 'yarn'] as const;
export type ScriptName = (typeof SCRIPTS)[number];

/** `# ---- title`, or `# ---- title [observe protect]` for a section that only some documents need. */
const HEADING = /^# -{10,} [^[\]]+?(?: \[([a-z ]+)\])?$/;

/**
 * The lines of the edge host script as one document holds them: only the sections that its verbs need, and without
 * indentation, comments and empty lines, because a document must be small. Nothing in the script may mean something else
 * without them.
 * @throws Error when the script cannot be a document
 */
export const scriptLines = (script: string, name: ScriptName): readonly string[] => {
  // Systems Manager would read {{name}} as a parameter wherever it stands, and put its value into the script's text.
  if (script.includes('{{')) throw new Error('the edge host script must not contain {{, write it another way');
  const [shebang = '', ...rest] = script.trimEnd().split('\n');
  if (shebang !== '#!/bin/bash') throw new Error('the edge host script must begin with #!/bin/bash');
  const lines = [shebang];
  let isHeld = true;
  for (const line of rest) {
    if (line.startsWith('# -----')) isHeld = documentsOf(line).includes(name);
    const text = line.trimStart();
    if (isHeld && text !== '' && !text.startsWith('#')) lines.push(text);
  }
  return lines;
};

const documentsOf = (line: string): readonly string[] => {
  const heading = HEADING.exec(line);
  const names = heading?.[1]?.split(' ') ?? SCRIPTS;
  const unknown = names.find((name) => !SCRIPTS.some((known) => known === name));
  // A section that no document held would be missed on a host only.
  if (heading === null || unknown !== undefined)
    throw new Error(`the edge host script has a heading that is none: ${line}`);
  return names;
};
