-- Runs before ext_authz: takes away what only we may say, and sends browsers to sign in where nobody else does.

-- Where a browser goes that is not signed in: the issuer renews its session by the refresh cookie and sends it back, or
-- to the login page. It checks `return_to` against its `portal.allowed_return_hosts`. `nil`: browsers get 401 as well.
local CONTINUE = "/api/v1/token/continue?return_to="

local OURS = "usher"

-- Beginnings of names. What would make a service take the request for another one than is judged is among them.
-- X-Forwarded-Proto is Envoy's own already.
local PREFIXES = { "x-auth-", "x-original-", "x-forwarded-", "x-envoy-" }
local NAMES = {
    ["x-http-method"] = true, ["x-http-method-override"] = true, ["x-method-override"] = true,
    ["x-rewrite-url"] = true, ["x-real-ip"] = true, ["forwarded"] = true, ["proxy"] = true,
    ["proxy-authorization"] = true,
}

local function is_ours(name)
    if name:sub(1, 1) == ":" or name == "x-forwarded-proto" then
        return false
    end
    -- `X.Auth.Subject` becomes the same variable as `X-Auth-Subject` in CGI, WSGI, PHP and Rack: a name has letters,
    -- digits and hyphens, or goes no further.
    if NAMES[name] or name:find("[^a-z0-9-]") then
        return true
    end
    for _, prefix in ipairs(PREFIXES) do
        if name:sub(1, #prefix) == prefix then
            return true
        end
    end
    return false
end

local function encoded(text)
    return (text:gsub("[^A-Za-z0-9._~-]", function(byte)
        return ("%%%02X"):format(byte:byte())
    end))
end

function envoy_on_request(handle)
    local headers = handle:headers()
    local names = {}
    for name in pairs(headers) do
        if is_ours(name) then
            names[name] = true
        end
    end
    local id = headers:get("x-request-id")
    if id and (#id > 128 or id:find("[^A-Za-z0-9._~-]")) then
        names["x-request-id"] = true
    end
    for name in pairs(names) do
        headers:remove(name)
    end
    -- A browser's own navigation, which can be sent to sign in.
    local accept = headers:get("accept") or ""
    if CONTINUE and headers:get(":method") == "GET" and accept:lower():find("text/html", 1, true) then
        local address = headers:get("x-forwarded-proto") .. "://" .. headers:get(":authority") .. headers:get(":path")
        handle:streamInfo():dynamicMetadata():set(OURS, "login", CONTINUE .. encoded(address))
    end
end

function envoy_on_response(handle)
    local known = handle:streamInfo():dynamicMetadata():get(OURS)
    -- A 401 of the service itself, which comes after `passed`, is not touched.
    if known and known["login"] and not known["passed"] and handle:headers():get(":status") == "401" then
        handle:headers():replace(":status", "302")
        handle:headers():replace("location", known["login"])
        handle:headers():remove("www-authenticate")
    end
end
