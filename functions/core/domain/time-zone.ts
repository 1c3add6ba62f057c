import * as z from 'zod';

const isTimeZone = (name: string): boolean => {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return name !== '' && !/^[+-]/.test(name);
  } catch {
    return false;
  }
};

export const TimeZone = z.string().refine(isTimeZone, 'write an IANA time zone such as Europe/Berlin');
