#include "objects/envelope.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <zstd.h>

#include <cstring>
#include <memory>

#include "base/crc32c.h"
#include "objects/digest.h"
#include "objects/object_store.h"
#include "sys/small_file.h"

namespace tarn::objects {

namespace {

constexpr int kCompressionLevel = 1;

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

unsigned char* bytes_of(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
}
const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

Error library_failed(std::string_view doing) {
    return error(Code::internal, "OpenSSL cannot {}", doing);
}

// AES-256-GCM one way or the other; the tag is written or compared. False if it does not fit.
Result<bool> run_cipher(bool encrypt, const Key& key, const unsigned char* nonce,
                        std::string_view name, std::string_view in, std::string& out,
                        unsigned char* tag) {
    Cipher cipher(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
    int length = 0;
    out.resize(in.size());
    auto in_size = static_cast<int>(in.size());
    bool good =
        cipher &&
        EVP_CipherInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce,
                          encrypt ? 1 : 0) == 1 &&
        EVP_CipherUpdate(cipher.get(), nullptr, &length, bytes_of(name),
                         static_cast<int>(name.size())) == 1 &&
        (in.empty() ||
         EVP_CipherUpdate(cipher.get(), bytes_of(out), &length, bytes_of(in), in_size) == 1) &&
        (encrypt || EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag) == 1);
    if (!good) return library_failed("encrypt");
    unsigned char rest[16];
    if (EVP_CipherFinal_ex(cipher.get(), rest, &length) != 1) return false;
    if (encrypt && EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, tag) != 1)
        return library_failed("encrypt");
    return true;
}

// Empty if it does not get smaller.
std::string compressed(std::string_view contents) {
    std::string out(ZSTD_compressBound(contents.size()), '\0');
    size_t size =
        ZSTD_compress(out.data(), out.size(), contents.data(), contents.size(), kCompressionLevel);
    if (ZSTD_isError(size) || size >= contents.size()) return "";
    out.resize(size);
    return out;
}

uint32_t crc_of(std::string_view object) {
    constexpr size_t kAt = offsetof(EnvelopeHeader, crc);
    uint32_t crc = crc32c(0, object.data(), kAt);
    return crc32c(crc, object.data() + kAt + 4, object.size() - kAt - 4);
}

Error damaged(const std::string& name, std::string_view why) {
    return error(Code::data_loss, "object {} is damaged: {}", name, why);
}

}  // namespace

Result<Key> read_key(const std::string& path) {
    auto file = sys::read_small_file(path);
    if (!file)
        return std::move(file)
            .error()
            .context("read the key")
            .with_hint("--key-file names a file that this user can read");
    if (!*file)
        return error(Code::not_found, "there is no key file {}", path)
            .with_hint(
                "--key-file names the key that the backups there are written with; for a new "
                "place make one: umask 077 && openssl rand -hex 32 > FILE");
    std::string_view digits = **file;
    while (!digits.empty() && (digits.back() == '\n' || digits.back() == '\r'))
        digits.remove_suffix(1);
    Key key{};
    bool good = digits.size() == 2 * key.size();
    for (size_t i = 0; good && i < digits.size(); ++i) {
        size_t value = std::string_view("0123456789abcdef").find(digits[i]);
        good = value != std::string_view::npos;
        key[i / 2] = static_cast<unsigned char>(key[i / 2] << 4 | (value & 15));
    }
    if (good) return key;
    return error(Code::invalid_argument,
                 "{} is no key: it has not 64 lower-case hexadecimal digits", path)
        .with_hint("make one with: openssl rand -hex 32");
}

Result<std::string> Envelope::name_of(std::string_view contents) const {
    Digest digest = TRY(sha256(contents));
    if (!key_) return digest.hex();
    Digest keyed;
    if (!HMAC(EVP_sha256(), key_->data(), static_cast<int>(key_->size()), digest.bytes, digest.size,
              keyed.bytes, &keyed.size))
        return library_failed("hash");
    return keyed.hex();
}

Result<std::string> Envelope::wrap(const std::string& name, std::string_view contents) const {
    if (contents.size() > kObjectBytesMax / 2)
        return error(Code::invalid_argument, "contents of {} have {} bytes, too many for an object",
                     name, contents.size());
    EnvelopeHeader header{};
    std::memcpy(header.magic, kEnvelopeMagic, sizeof header.magic);
    header.version = kEnvelopeVersion;
    header.plain_bytes = contents.size();
    std::string smaller = compressed(contents);
    if (!smaller.empty()) header.flags |= envelope_flag::zstd;
    std::string_view body = smaller.empty() ? contents : smaller;
    std::string object(sizeof header, '\0');
    if (key_) {
        header.flags |= envelope_flag::encrypted;
        unsigned char nonce[kNonceBytes], tag[kTagBytes];
        if (RAND_bytes(nonce, sizeof nonce) != 1) return library_failed("draw a nonce");
        std::string hidden;
        TRY(run_cipher(true, *key_, nonce, name, body, hidden, tag));
        object.append(reinterpret_cast<char*>(nonce), sizeof nonce);
        object.append(reinterpret_cast<char*>(tag), sizeof tag);
        object += hidden;
    } else {
        object += body;
    }
    std::memcpy(object.data(), &header, sizeof header);
    header.crc = crc_of(object);
    std::memcpy(object.data(), &header, sizeof header);
    return object;
}

Result<std::string> Envelope::unwrap(const std::string& name, std::string_view object) const {
    EnvelopeHeader header{};
    if (object.size() < sizeof header) return damaged(name, "it is too short");
    std::memcpy(&header, object.data(), sizeof header);
    if (std::memcmp(header.magic, kEnvelopeMagic, sizeof header.magic) != 0)
        return damaged(name, "it does not begin as one");
    if (header.version != kEnvelopeVersion)
        return error(Code::bad_request, "object {} has version {}, this program knows {}", name,
                     header.version, kEnvelopeVersion)
            .with_hint("use the newer tarn that wrote it");
    if (header.crc != crc_of(object)) return damaged(name, "its checksum is wrong");
    if ((header.flags & ~(envelope_flag::zstd | envelope_flag::encrypted)) != 0 ||
        header.reserved != 0)
        return damaged(name, "it says what this version does not know");
    if (header.plain_bytes > kObjectBytesMax) return damaged(name, "its length cannot be");
    std::string_view body = object.substr(sizeof header);
    std::string shown;
    if ((header.flags & envelope_flag::encrypted) != 0) {
        if (!key_)
            return error(Code::bad_request, "object {} is encrypted", name)
                .with_hint("name the key with --key-file");
        if (body.size() < kNonceBytes + kTagBytes) return damaged(name, "it is too short");
        unsigned char tag[kTagBytes];
        std::memcpy(tag, body.data() + kNonceBytes, sizeof tag);
        bool fits = TRY(run_cipher(false, *key_, bytes_of(body), name,
                                   body.substr(kNonceBytes + kTagBytes), shown, tag));
        if (!fits)
            return error(Code::bad_request, "object {} cannot be decrypted with this key", name)
                .with_hint("name the key that it was written with, with --key-file");
        body = shown;
    } else if (key_) {
        return error(Code::bad_request, "object {} is not encrypted, and a key was named", name)
            .with_hint("leave out --key-file, if that is how it was written");
    }
    if ((header.flags & envelope_flag::zstd) == 0) {
        if (body.size() != header.plain_bytes) return damaged(name, "its length is wrong");
        return std::string(body);
    }
    std::string contents(header.plain_bytes, '\0');
    size_t size = ZSTD_decompress(contents.data(), contents.size(), body.data(), body.size());
    if (ZSTD_isError(size) || size != contents.size())
        return damaged(name, "it cannot be decompressed");
    return contents;
}

}  // namespace tarn::objects
