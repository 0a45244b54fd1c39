export { loadConfigFile, replaceConfigFile } from '../platform/config-file.ts'
