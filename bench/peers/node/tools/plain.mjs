export { find } from '../../../finders/finder.mjs';
