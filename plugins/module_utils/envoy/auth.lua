-- Lets a request in whose client has a key, or whose user has a token that jwt_authn has verified.
-- SETTINGS is written in front of this file.

local bit = require("bit")
local ffi = require("ffi")

-- Lua cannot list a directory, and which clients there are only the Secret knows.
ffi.cdef [[
  typedef struct envoy_keys_directory envoy_keys_directory;
  struct envoy_keys_entry {
    uint64_t inode;
    int64_t offset;
    uint16_t length;
    uint8_t type;
    char name[256];
  };
  envoy_keys_directory *opendir(const char *name);
  struct envoy_keys_entry *readdir(envoy_keys_directory *directory);
  int closedir(envoy_keys_directory *directory);
]]

local RELOAD_SECONDS = 5

local clients = {}
local loaded_at = nil

local function files_in(directory)
  local stream = ffi.C.opendir(directory)
  if stream == nil then
    return {}
  end
  local names = {}
  local entry = ffi.C.readdir(stream)
  while entry ~= nil do
    local name = ffi.string(entry.name)
    -- What a kubelet needs to replace all files at once begins with two dots.
    if name ~= "." and name:sub(1, 2) ~= ".." then
      table.insert(names, name)
    end
    entry = ffi.C.readdir(stream)
  end
  ffi.C.closedir(stream)
  table.sort(names)
  return names
end

local function key_in(path)
  local file = io.open(path, "rb")
  local text = file and file:read("*a") or ""
  if file then
    file:close()
  end
  return (text:gsub("\r?\n$", ""))
end

local function load_clients()
  local now = os.time()
  if loaded_at and now >= loaded_at and now - loaded_at < RELOAD_SECONDS then
    return
  end
  loaded_at, clients = now, {}
  for _, secret in ipairs(SETTINGS.secrets) do
    for _, name in ipairs(files_in(secret.directory)) do
      local key = key_in(secret.directory .. "/" .. name)
      if key ~= "" then
        table.insert(clients, { user = name, groups = secret.groups, key = key })
      end
    end
  end
end

-- Takes as long for a key that is nearly right as for any other of its length.
local function is_same(presented, key)
  local difference = bit.bxor(#presented, #key)
  for position = 1, #presented do
    local there = key:byte((position - 1) % #key + 1)
    difference = bit.bor(difference, bit.bxor(presented:byte(position), there))
  end
  return difference == 0
end

local function client_with(presented)
  local found = nil
  for _, client in ipairs(clients) do
    if is_same(presented, client.key) and not found then
      found = client
    end
  end
  return found
end

local function claim(payload, name)
  if payload[name] ~= nil then
    return payload[name]
  end
  local value = payload
  for step in name:gmatch("[^.]+") do
    value = type(value) == "table" and value[step] or nil
  end
  return value
end

-- What can be in a header, and says the same there.
local function is_printable(text)
  return type(text) == "string" and text:find("^[^%z\1-\32\127][^%z\1-\31\127]*$") ~= nil
end

local function groups_of(value)
  if is_printable(value) then
    return value
  end
  local groups = {}
  for _, group in ipairs(type(value) == "table" and value or {}) do
    -- One with a comma would be two.
    if is_printable(group) and not group:find(",", 1, true) then
      table.insert(groups, group)
    end
  end
  return table.concat(groups, ",")
end

local function user_with(payload, issuer)
  local user = claim(payload, issuer.user)
  if type(user) == "number" then
    user = string.format("%.0f", user)
  end
  if not is_printable(user) then
    return nil
  end
  return { user = user, groups = groups_of(claim(payload, issuer.groups)) }
end

local function refuse(handle, status, code, message, challenge)
  local headers = { [":status"] = status, ["content-type"] = "application/json" }
  if status == "401" then
    headers["www-authenticate"] = 'Bearer realm="semantic-router"' .. (challenge or "")
  else
    headers["retry-after"] = "5"
  end
  -- Else the router would be asked about this answer: only a route says that it is not, and a
  -- header that changes makes Envoy look for the route again.
  handle:headers():replace(SETTINGS.refused, "true")
  handle:respond(headers, string.format(SETTINGS.answer, message, code))
end

local function refuse_token(handle, code, message)
  local challenge = ', error="invalid_token", error_description="' .. message .. '"'
  refuse(handle, "401", code, message, challenge)
end

local function has_the_form_of_a_token(presented)
  for _, value in ipairs(presented) do
    if value:find("^[^.]+%.[^.]+%.[^.]*$") then
      return true
    end
  end
  return false
end

-- failure: jwt_authn's own words; of several issuers it says nothing where the token names none.
local function explain(handle, presented, failure)
  local may_be_token = #SETTINGS.secrets == 0
    or #SETTINGS.issuers > 0 and has_the_form_of_a_token(presented)
  failure = failure or "its issuer is none of ours, or it is no JWT"
  if #presented == 0 then
    refuse(handle, "401", "missing_credentials", SETTINGS.missing)
  elseif not may_be_token then
    refuse(handle, "401", "invalid_api_key", "No client has this API key")
  elseif failure:find("Jwks remote fetch", 1, true) then
    refuse(handle, "503", "auth_unavailable", "The public keys of the token's issuer cannot be fetched")
  elseif failure:find("expired", 1, true) then
    refuse_token(handle, "token_expired", "The token is expired")
  else
    refuse_token(handle, "invalid_token", "The token is refused: " .. failure:gsub('[%c"\\]', " "))
  end
end

local function take(headers)
  local presented = {}
  local authorization = headers:get("authorization")
  local bearer = authorization and authorization:match("^[Bb][Ee][Aa][Rr][Ee][Rr] +(.+)$")
  for _, value in ipairs({ headers:get("x-api-key") or "", bearer or "" }) do
    if value ~= "" then
      table.insert(presented, value)
    end
  end
  -- Nothing behind this door is to learn of them.
  for _, name in ipairs({ "authorization", "x-api-key", SETTINGS.user, SETTINGS.groups }) do
    headers:remove(name)
  end
  return presented
end

local function admit(handle, headers, who)
  handle:streamInfo():dynamicMetadata():set(SETTINGS.metadata, SETTINGS.metadata_user, who.user)
  headers:replace(SETTINGS.user, who.user)
  if who.groups ~= "" then
    headers:replace(SETTINGS.groups, who.groups)
  end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local presented = take(headers)
  local verified = handle:streamInfo():dynamicMetadata():get("envoy.filters.http.jwt_authn") or {}
  for _, issuer in ipairs(SETTINGS.issuers) do
    local payload = verified[issuer.metadata]
    if payload then
      local user = user_with(payload, issuer)
      if user then
        admit(handle, headers, user)
      else
        refuse_token(handle, "invalid_token", "The token names no user")
      end
      return
    end
  end
  load_clients()
  for _, key in ipairs(presented) do
    local client = client_with(key)
    if client then
      admit(handle, headers, client)
      return
    end
  end
  local failure = verified[SETTINGS.failure]
  explain(handle, presented, failure and failure.message)
end
