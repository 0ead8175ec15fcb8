-- Asks the verifier about each request: `http-request lua.usher_ask` in haproxy.cfg beside this file.
--
-- Where it says no, its answer is the client's: status, challenge, problem document. Where it does not answer in time, or
-- answers something else, nobody gets in (503). Where it says yes, the service learns who is calling.

-- The names of the issuer's `cookies.*`, in small letters. The service gets the client's other cookies without these:
-- whoever holds a token can act as its user.
local OUR_COOKIES = { ["__host-access_token"] = true, ["__secure-refresh_token"] = true }

-- All five, whether the service reads them or not: setting one is what replaces a client's.
local IDENTITY = { "x-auth-subject", "x-auth-session", "x-auth-roles", "x-auth-superuser", "x-auth-labels" }

-- What the verifier reads of a request. A header that stands twice is asked about twice: ambiguous is no.
local ASKED = {
    "authorization", "cookie", "origin", "accept", "upgrade", "sec-websocket-key", "x-request-id", "traceparent",
}

-- What the client gets of a refusal.
local ANSWERED = { "content-type", "www-authenticate", "retry-after", "cache-control" }

local REASON = { [302] = "Found", [401] = "Unauthorized", [403] = "Forbidden", [503] = "Service Unavailable" }

local SOCKET = "unix@" .. os.getenv("USHER_ASK_SOCKET")

-- Longer than the time-outs of `listen usher_verifier`, which are what ends a question.
local TIMEOUT_MS = 4000

-- The values of a header; HAProxy counts its own from 0.
local function values_of(headers, name)
    local values = {}
    for _, value in pairs(headers[name] or {}) do
        values[#values + 1] = value
    end
    return values
end

local function without_ours(cookies)
    local kept = {}
    for _, header in ipairs(cookies) do
        for pair in header:gmatch("[^;]+") do
            local name = pair:match("^%s*([^=]-)%s*=") or pair:match("^%s*(.-)%s*$")
            if not OUR_COOKIES[name:lower()] then
                kept[#kept + 1] = pair:match("^%s*(.-)%s*$")
            end
        end
    end
    return table.concat(kept, "; ")
end

local function answer(txn, status, headers, body)
    local reply = txn:reply({ status = status, reason = REASON[status] })
    for name, value in pairs(headers) do
        reply:add_header(name, value)
    end
    reply:set_body(body)
    return reply
end

local function undecided(txn)
    return answer(txn, 503, {
        ["content-type"] = "application/problem+json",
        ["cache-control"] = "no-store",
        ["retry-after"] = "1",
    }, '{"type":"/problems/unavailable","title":"Temporarily unavailable","status":503}')
end

-- What the client gets instead of the service's answer; `nil` where the verifier says yes.
local function refusal_of(txn)
    local headers = txn.http:req_get_headers()
    local host = values_of(headers, "host")[1]
    -- The request as HAProxy has it, not as the client describes it: method, and the target's raw bytes.
    local question = { ["x-original-method"] = { txn.f:method() }, ["x-original-uri"] = { txn.f:url() } }
    if host then
        question["x-original-host"] = { host }
    end
    for _, name in ipairs(ASKED) do
        local values = values_of(headers, name)
        if #values > 0 then
            question[name] = values
        end
    end
    local said = core.httpclient():get({
        url = "http://verifier/authz/auth-request",
        headers = question,
        dst = SOCKET,
        timeout = TIMEOUT_MS,
    })
    local status = said and said.status
    if status == 200 then
        for _, name in ipairs(IDENTITY) do
            txn.http:req_set_header(name, values_of(said.headers, name)[1] or "")
        end
        txn:set_var("txn.usher_subject", values_of(said.headers, "x-auth-subject")[1] or "")
        txn.http:req_del_header("authorization")
        local cookies = without_ours(values_of(headers, "cookie"))
        txn.http:req_del_header("cookie")
        if cookies ~= "" then
            txn.http:req_add_header("cookie", cookies)
        end
        return nil
    end
    if status ~= 401 and status ~= 403 and status ~= 503 then
        return undecided(txn)
    end
    local kept = {}
    for _, name in ipairs(ANSWERED) do
        kept[name] = values_of(said.headers, name)[1]
    end
    -- HAProxy's own 503, where the verifier is away, says nothing of when to come back.
    if status == 503 and not kept["retry-after"] then
        return undecided(txn)
    end
    -- A browser is sent where it can sign in, and comes back: the verifier tells where.
    local login = values_of(said.headers, "x-auth-login")[1]
    if status == 401 and login then
        return answer(txn, 302, { ["location"] = login, ["cache-control"] = "no-store" }, "")
    end
    return answer(txn, status, kept, said.body or "")
end

core.register_action("usher_ask", { "http-req" }, function(txn)
    -- Whatever goes wrong in there, nobody gets in.
    local is_told, refusal = pcall(refusal_of, txn)
    if not is_told then
        core.log(core.err, "usher: " .. tostring(refusal))
        refusal = undecided(txn)
    end
    if refusal then
        -- This does not come back.
        txn:done(refusal)
    end
end, 0)
