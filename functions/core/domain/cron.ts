import * as z from 'zod';

/** A list of `*`, values and ranges, each with an optional step; or one of the field's own forms. */
const field = (name: string, range: string, value: string, own = '\\?') => {
  const item = `(\\*|(${value})(-(${value}))?)(/[1-9][0-9]?)?`;
  return { name, range, pattern: new RegExp(`^(${item}(,${item})*|${own})$`, 'i') };
};

const FIELDS = [
  field('minute', '0-59', '[0-5]?[0-9]', '\\*'),
  field('hour', '0-23', '[01]?[0-9]|2[0-3]', '\\*'),
  field('day-of-month', '1-31, ?, L or W', '0?[1-9]|[12][0-9]|3[01]', '\\?|L|LW|([1-9]|[12][0-9]|3[01])W'),
  field('month', '1-12 or JAN-DEC', '0?[1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC', '\\*'),
  field('day-of-week', '1-7, SUN-SAT, ?, L or #', '[1-7]|SUN|MON|TUE|WED|THU|FRI|SAT', '\\?|L|[1-7]L|[1-7]#[1-5]'),
  field('year', '1970-2199', '19[7-9][0-9]|2[01][0-9]{2}', '\\*'),
] as const;

/**
 * Six fields as EventBridge Scheduler reads them, with `?` in exactly one of the two day fields
 * (EventBridge Scheduler user guide, schedule types).
 */
export const CronFields = z
  .string()
  .regex(/^([^ ]+ ){5}[^ ]+$/, {
    error: 'write six fields: minute hour day-of-month month day-of-week year',
    abort: true,
  })
  .superRefine((text, context) => {
    const written = text.split(' ');
    FIELDS.forEach(({ name, range, pattern }, index) => {
      if (!pattern.test(written[index] ?? ''))
        context.addIssue({ code: 'custom', message: `${name}: write ${range}, or *, with lists, ranges and steps` });
    });
    if ((written[2] === '?') === (written[4] === '?'))
      context.addIssue({ code: 'custom', message: 'write ? in exactly one of day-of-month and day-of-week' });
  });
