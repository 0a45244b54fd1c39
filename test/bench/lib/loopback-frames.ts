/** What comes back through a bare chain for each frame, in bytes: about the size of an answer to a send. */
export const ANSWER_SIZE = 128
