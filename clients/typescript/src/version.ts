/** The version of this package, which is Signoff's version. */
export const VERSION: string = "0.1.0";
