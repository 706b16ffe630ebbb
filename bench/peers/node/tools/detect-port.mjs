import detect from 'detect-port';

// It knows no end of a range.
export const find = (low) => detect(low);
