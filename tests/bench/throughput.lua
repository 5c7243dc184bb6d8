-- PATCH requests, each for another token, built before the clock runs.
function init(arguments)
    local url, bearer = arguments[1], arguments[2]
    local headers = { ["Authorization"] = "Bearer " .. bearer, ["Content-Type"] = "application/json" }
    requests, sent = {}, 0
    for n = 0, 9999 do
        requests[n] = wrk.format("PATCH", url .. "/v1/users/eb2e12ae-1112-451b-98e1-dfe4e6afd60d/sidTokens/enable", headers,
            string.format('{"tokenSerialNumber":"%012d"}', n))
    end
end

function request()
    sent = sent + 1
    return requests[sent % 10000]
end
