import getPort, { portNumbers } from 'get-port';

export const find = (low, high) => getPort({ port: portNumbers(low, high) });
