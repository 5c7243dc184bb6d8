// The key file that an administrator downloads: who we are, the private key, and where the service is.
#pragma once

#include "engine/error.hpp"
#include "io/https_client.hpp"

#include <openssl/types.h>

#include <memory>
#include <optional>
#include <string>

namespace muster {

struct credentials {
    std::string path;       ///< of the key file, for messages
    std::string access_id;  ///< `accessID`: the JWT's `sub`
    std::string api_url;    ///< `adminRestApiUrl` as written: the JWT's `aud`
    std::shared_ptr<EVP_PKEY> key;
    std::string warning;  ///< not empty: the file can be read by others; a sentence for the user
};

/// Reads and checks the key file. Fails (bad_credentials) naming file and field, never a value that is
/// secret: missing, too large, not JSON, a field absent or of the wrong type, a key that cannot be used
/// (broken, not RSA, under 2048 bits), an adminRestApiUrl that is no https URL.
result<credentials> read_credentials(const std::string& path);

/// Where to connect: the key file's URL, or `base_url` (empty for none; its path counts if it has one, else
/// the key file's). A trailing /v1 or /v2 is not part of the base. Fails (usage) on a URL that is not https.
result<endpoint> service_endpoint(const credentials& from, const std::string& base_url);

/// The proxy to use: `proxy_url` (from --proxy), else HTTPS_PROXY/https_proxy unless NO_PROXY/no_proxy names
/// the host. Fails (usage) on a URL that is not http://[user:password@]host[:port].
result<std::optional<proxy_endpoint>> find_proxy(const std::string& proxy_url, const endpoint& server);

}  // namespace muster
