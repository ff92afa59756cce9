/** What module auth_db gives to others: `host.exportsOf<AuthDbExports>('auth_db')`. */
export interface AuthDbExports {
  /**
   * Is there a password for that user, whatever the domain, and however the name is spelt: upper and lower case of
   * ASCII are one. Null if the database cannot be asked: who must not be wrong takes it for yes.
   */
  hasCredentials(user: string): boolean | null
}
