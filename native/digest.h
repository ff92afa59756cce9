/*
 * Digest authentication as nearly all do it: MD5, with or without qop=auth. What of it is work on octets is done here, in
 * memory that both sides see; what it means is plugins/auth/authenticator.ts's to say. What stands where is in digest.c;
 * plugins/auth/digest-memory.ts has the same numbers.
 *
 * credentials.ts, nonce.ts and digest.ts stay the one definition: an answer that is not written as nearly all write it, or
 * that says something else, is not usual, and they look at it. That both agree is a law: test/plugins/auth-native.test.ts.
 */
#ifndef VIADUCT_DIGEST_H
#define VIADUCT_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum {
  /* Of a text in the memory. */
  PART_OCTETS = 256,
  /* Octets of the memory: 64 words, twelve places for texts, and the message. */
  DIGEST_OCTETS = 4 * 64 + 12 * PART_OCTETS + 4096,
  /* Characters of a nonce: plugins/auth/nonce.ts. */
  NONCE_LENGTH = 30,
  CHALLENGE_OCTETS = 2 * PART_OCTETS + NONCE_LENGTH,
};

/* Reads the credentials that stand in the text, and the nonce in them. */
void digest_read(uint8_t *memory);

/* Whether the answer that was read last proves the secret. Takes the same time wherever it differs. */
void digest_prove(uint8_t *memory);

/* The nonce for a time and a serial number, between what stands before and after it; its length. */
size_t digest_challenge(const uint8_t *memory, char *line);

#endif
