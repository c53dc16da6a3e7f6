/** The version of this package, which is that of Signoff. */
export const VERSION: string = "0.1.0";
