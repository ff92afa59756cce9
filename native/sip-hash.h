/*
 * SipHash-2-4 (Aumasson, Bernstein 2012) over fields that are each filled up with zeros to whole words of 64 bits: what
 * src/runtime/sip-hash.ts makes of text() and pad(). Who puts the lengths in front parts the fields. For little-endian machines.
 */
#ifndef VIADUCT_SIP_HASH_H
#define VIADUCT_SIP_HASH_H

#include <stdint.h>
#include <string.h>

typedef struct {
  uint64_t v0, v1, v2, v3, length;
} SipHash;

static inline uint64_t rotated(uint64_t word, int bits) {
  return word << bits | word >> (64 - bits);
}

static inline void sip_rounds(SipHash *it, int rounds) {
  for (; rounds > 0; rounds--) {
    it->v0 += it->v1;
    it->v2 += it->v3;
    it->v1 = rotated(it->v1, 13) ^ it->v0;
    it->v3 = rotated(it->v3, 16) ^ it->v2;
    it->v0 = rotated(it->v0, 32);
    it->v2 += it->v1;
    it->v0 += it->v3;
    it->v1 = rotated(it->v1, 17) ^ it->v2;
    it->v3 = rotated(it->v3, 21) ^ it->v0;
    it->v2 = rotated(it->v2, 32);
  }
}

static inline void sip_hash_start(SipHash *it, const uint8_t key[16]) {
  uint64_t words[2];
  memcpy(words, key, sizeof words);
  *it = (SipHash){words[0] ^ 0x736f6d6570736575, words[1] ^ 0x646f72616e646f6d,
                  words[0] ^ 0x6c7967656e657261, words[1] ^ 0x7465646279746573, 0};
}

static inline void sip_hash_word(SipHash *it, uint64_t word) {
  it->v3 ^= word;
  sip_rounds(it, 2);
  it->v0 ^= word;
  it->length += 8;
}

/* The last word has what is left of the field, and zeros. */
static inline void sip_hash_field(SipHash *it, const uint8_t *octets, uint32_t length) {
  for (; length > 0; octets += 8) {
    uint64_t word = 0;
    if (length >= sizeof word) memcpy(&word, octets, sizeof word), length -= sizeof word;
    else memcpy(&word, octets, length), length = 0;
    sip_hash_word(it, word);
  }
}

static inline uint64_t sip_hash_finish(SipHash *it) {
  const uint64_t length = it->length << 56;
  sip_hash_word(it, length);
  it->v2 ^= 0xff;
  sip_rounds(it, 4);
  return it->v0 ^ it->v1 ^ it->v2 ^ it->v3;
}

#endif
