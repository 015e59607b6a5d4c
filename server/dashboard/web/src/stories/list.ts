// Prints all stories as JSON; run by node after a build for it.
import { address, shelf } from './all';

process.stdout.write(`${JSON.stringify(shelf.map((s) => ({ page: s.page, name: s.name, path: s.path, address: address(s) })), null, 1)}\n`);
