/**
 * Which environment variable stands for which setting: secrets and host facts only.
 * `POSTERN_CONFIG` and `POSTERN_DIRECTORY` are read by load.ts before anything else.
 */
export const environmentVariables: Readonly<Record<string, readonly [section: string, key?: string]>> = {
  POSTERN_ENV: ['environment'],
  POSTERN_DIRECTORY: ['directory'],
  POSTERN_INSTANCE_ID: ['instanceId'],
  POSTERN_HOSTNAME: ['hostname'],
  POSTERN_LOG_LEVEL: ['log', 'level'],
  DATABASE_URL: ['database', 'url'],
  QUEUE_DATABASE_URL: ['queue', 'url'],
  REDIS_URL: ['redis', 'url'],
  RSPAMD_URL: ['spam', 'url'],
  POSTERN_SECRET_KEY: ['secrets', 'key'],
  POSTERN_SERVICE_TOKEN: ['secrets', 'serviceToken'],
  POSTERN_INTAKE_PASSWORD: ['secrets', 'intakePassword'],
  POSTERN_STORAGE_ACCESS_KEY_ID: ['secrets', 'storageAccessKeyId'],
  POSTERN_STORAGE_SECRET_KEY: ['secrets', 'storageSecretKey'],
  POSTERN_BACKUP_ACCESS_KEY_ID: ['secrets', 'backupAccessKeyId'],
  POSTERN_BACKUP_SECRET_KEY: ['secrets', 'backupSecretKey'],
};
