/**
 * The body of the first frame to an address that a user typed. Should the port be a HA port, a Java master takes these bytes for "no report
 * yet"; the end of any other frame it would read as an offset and falsify an ack (seen on 5.3.3).
 */
export const HARMLESS_BODY = Buffer.alloc(16, 0xff)
