import portfinder from 'portfinder';

export const find = (low, high) => portfinder.getPortPromise({ port: low, stopPort: high });
