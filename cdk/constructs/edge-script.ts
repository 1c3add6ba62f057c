/**
 * The lines of the edge host script as its documents hold them: without indentation, comments and empty lines, because
 * a document must be small. Nothing in the script may mean something else without them.
 * @throws Error when the script cannot be a document
 */
export const scriptLines = (script: string): readonly string[] => {
  // Systems Manager would read {{name}} as a parameter wherever it stands, and put its value into the script's text.
  if (script.includes('{{')) throw new Error('the edge host script must not contain {{, write it another way');
  const [shebang = '', ...rest] = script.trimEnd().split('\n');
  if (shebang !== '#!/bin/bash') throw new Error('the edge host script must begin with #!/bin/bash');
  return [shebang, ...rest.map((line) => line.trimStart()).filter((line) => line !== '' && !line.startsWith('#'))];
};
