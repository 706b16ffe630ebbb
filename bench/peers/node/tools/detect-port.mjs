import detect from 'detect-port';

// It does not support the end of a range.
export const find = (low) => detect(low);
