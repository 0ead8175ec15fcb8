-- Runs after ext_authz said yes: the credentials end here, since whoever holds a token can act as its user.

-- The names of the issuer's `cookies.*`, in small letters. The service gets the client's other cookies.
local OUR_COOKIES = { ["__host-access_token"] = true, ["__secure-refresh_token"] = true }

function envoy_on_request(handle)
    local headers = handle:headers()
    handle:streamInfo():dynamicMetadata():set("usher", "passed", true)
    headers:remove("authorization")
    -- Several Cookie headers are one here.
    local cookies = headers:get("cookie")
    if not cookies then
        return
    end
    local kept = {}
    for pair in cookies:gmatch("[^;]+") do
        pair = pair:match("^%s*(.-)%s*$")
        local name = pair:match("^([^=]-)%s*=") or pair
        if not OUR_COOKIES[name:lower()] then
            kept[#kept + 1] = pair
        end
    end
    headers:remove("cookie")
    if #kept > 0 then
        headers:add("cookie", table.concat(kept, "; "))
    end
end
