// A reply as the bytes of an HTTP/1.1 message. Requests are read with Beast's parser; a reply is so plain
// that one string, written in one piece (one TLS record, one system call), is both simpler and quicker than a
// serializer.
#pragma once

#include "samples/tenant/reply.hpp"
#include "samples/tenant/text.hpp"

#include <string>

namespace tenant {

/// Puts the whole message into `out`. `keep_alive` decides the Connection line; `headers` are further
/// complete lines. `head`: the request was a HEAD, so the body is announced but not sent.
void write_reply(std::string& out, const Reply& reply, std::string_view headers, Wall now, bool keep_alive,
                 bool head);

}  // namespace tenant
