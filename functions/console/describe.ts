/** What a widget says of itself when it is put on a dashboard. */
export interface WidgetDocs {
  readonly title: string;
  readonly about: string;
  /** Parameters to configure it with, for each what it does. */
  readonly params: Readonly<Record<string, string>>;
  /** A configuration that works. */
  readonly example: Readonly<Record<string, string>>;
}

/** Documentation as CloudWatch shows it in the dialogue that adds a custom widget. */
export const describe = ({ title, about, params, example }: WidgetDocs): { readonly markdown: string } => ({
  markdown: [
    `## ${title}`,
    about,
    '### Parameters',
    'Param | Description',
    '---|---',
    ...Object.entries(params).map(([name, text]) => `**${name}** | ${text}`),
    '### Example parameters',
    '```yaml',
    ...Object.entries(example).map(([name, value]) => `${name}: ${value}`),
    '```',
  ].join('\n'),
});
