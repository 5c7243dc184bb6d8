-- PATCH requests for different tokens, as Muster sends them. Few, so that building them is nothing of wrk's CPU time.
function init(arguments)
    local url, user, bearer = arguments[1], arguments[2], arguments[3]
    local headers = { ["Authorization"] = "Bearer " .. bearer, ["Content-Type"] = "application/json" }
    requests, sent = {}, 0
    for n = 0, 255 do
        requests[n] = wrk.format("PATCH", url .. "/v1/users/" .. user .. "/sidTokens/enable", headers,
            string.format('{"tokenSerialNumber":"%012d"}', n))
    end
end

function request()
    sent = sent + 1
    return requests[sent % 256]
end
