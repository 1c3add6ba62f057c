import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { NotEmulated } from '../errors.ts';
import { accountId, region } from '../world.ts';

/** Reads a synthesized assembly (`cdk.out`): its stacks with their templates, nested assemblies too, and its assets. */
const manifestSchema = z.object({
  artifacts: z
    .record(
      z.string(),
      z.object({ type: z.string(), displayName: z.string().optional(), properties: z.looseObject({}).optional() }),
    )
    .optional(),
});
const stackProperties = z.looseObject({ templateFile: z.string(), stackName: z.string().optional() });
const nestedProperties = z.looseObject({ directoryName: z.string() });
const assetsSchema = z.object({
  files: z
    .record(
      z.string(),
      z.object({
        source: z.object({ path: z.string().optional(), packaging: z.string().optional() }),
        destinations: z.record(z.string(), z.object({ bucketName: z.string(), objectKey: z.string() })),
      }),
    )
    .optional(),
});
const resourceSchema = z.object({
  Type: z.string(),
  Properties: z.record(z.string(), z.unknown()).optional(),
  Condition: z.string().optional(),
});
const templateSchema = z.object({
  Resources: z.record(z.string(), resourceSchema),
  Parameters: z.record(z.string(), z.object({ Type: z.string(), Default: z.unknown().optional() })).optional(),
  Conditions: z.record(z.string(), z.unknown()).optional(),
  Outputs: z
    .record(z.string(), z.object({ Value: z.unknown(), Export: z.object({ Name: z.unknown() }).optional() }))
    .optional(),
});

export type Template = z.infer<typeof templateSchema>;
export type TemplateResource = z.infer<typeof resourceSchema>;

export interface Stack {
  readonly name: string;
  readonly template: Template;
}

export interface Assembly {
  readonly stacks: readonly Stack[];
  /** Directories of file assets, by the object key that the template names. */
  readonly assets: ReadonlyMap<string, string>;
}

const read = <T>(schema: z.ZodType<T>, file: string): T => {
  const parsed = schema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (!parsed.success) throw new NotEmulated(`${file}: ${parsed.error.message}`);
  return parsed.data;
};

export function readAssembly(directory: string): Assembly {
  if (!existsSync(join(directory, 'manifest.json')))
    throw new Error(`${directory} holds no assembly: synthesize it first`);
  const manifest = read(manifestSchema, join(directory, 'manifest.json'));
  const stacks: Stack[] = [];
  const assets = new Map<string, string>();
  for (const [id, artifact] of Object.entries(manifest.artifacts ?? {})) {
    if (artifact.type === 'aws:cloudformation:stack') {
      const { templateFile, stackName } = stackProperties.parse(artifact.properties);
      stacks.push({ name: stackName ?? id, template: read(templateSchema, join(directory, templateFile)) });
      readAssets(join(directory, templateFile.replace(/\.template\.json$/, '.assets.json')), assets);
    } else if (artifact.type === 'cdk:cloud-assembly') {
      const nested = readAssembly(join(directory, nestedProperties.parse(artifact.properties).directoryName));
      stacks.push(...nested.stacks);
      for (const [key, path] of nested.assets) assets.set(key, path);
    }
  }
  return { stacks, assets };
}

function readAssets(file: string, assets: Map<string, string>): void {
  if (!existsSync(file)) return;
  for (const { source, destinations } of Object.values(read(assetsSchema, file).files ?? {})) {
    if (source.path === undefined) continue;
    for (const { objectKey } of Object.values(destinations)) {
      const key = objectKey.replace(/\$\{AWS::(AccountId|Region)\}/g, (_all, name) =>
        name === 'Region' ? region : accountId,
      );
      assets.set(key, resolve(dirname(file), source.path));
    }
  }
}
