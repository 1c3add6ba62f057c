// Adds up the reports of the test runs: "N passed, N failed, N skipped". A missing or empty report is a failure.
import { readFileSync } from 'node:fs';

const reports = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, 'utf8')));
const total = (key) => reports.reduce((sum, report) => sum + report[key], 0);
const [passed, failed, skipped] = [total('numPassedTests'), total('numFailedTests'), total('numPendingTests')];
process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
const isGood = reports.length > 0 && reports.every((it) => it.success && it.numPassedTests > 0) && failed === 0;
process.exit(isGood ? 0 : 1);
