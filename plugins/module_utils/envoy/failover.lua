-- Makes a request for one model that failed there a request for another, before the router is asked again.
-- SETTINGS is written in front of this file.

-- Behind the string that begins at `from`.
local function after_string(text, from)
  local at = from + 1
  while true do
    local found = text:find('["\\]', at)
    if not found then
      return nil
    end
    if text:sub(found, found) == '"' then
      return found + 1
    end
    at = found + 2
  end
end

-- Behind the value that begins at `from`: where the comma or the brace of the object that has it is.
local function after_value(text, from)
  local depth, at = 0, from
  while true do
    local found = text:find('["{}%[%],]', at)
    if not found then
      return nil
    end
    local what = text:sub(found, found)
    if what == '"' then
      at = after_string(text, found)
      if not at then
        return nil
      end
    elseif depth == 0 and (what == "," or what == "}") then
      return found
    else
      if what == "{" or what == "[" then
        depth = depth + 1
      elseif what == "}" or what == "]" then
        depth = depth - 1
      end
      at = found + 1
    end
  end
end

-- The JSON object with another model, and without what only the first one's server takes; nil for no object.
local function for_the_other(text)
  local at = text:match("^%s*{%s*()")
  if not at then
    return nil
  end
  local members = {}
  while text:sub(at, at) == '"' do
    local behind_key = after_string(text, at)
    local value = behind_key and text:match("^%s*:()", behind_key)
    local stop = value and after_value(text, value)
    if not stop then
      return nil
    end
    if not SETTINGS.dropped[text:sub(at + 1, behind_key - 2)] then
      table.insert(members, text:sub(at, stop - 1))
    end
    if text:sub(stop, stop) == "}" then
      break
    end
    at = text:match("^%s*()", stop + 1)
  end
  -- The last of two with one name counts, should the client have spelled the first in another way.
  table.insert(members, '"model":' .. SETTINGS.model)
  return "{" .. table.concat(members, ",") .. "}"
end

function envoy_on_request(handle)
  local headers = handle:headers()
  for _, name in ipairs(SETTINGS.removed) do
    headers:remove(name)
  end
  local path = headers:get(":path")
  if SETTINGS.path ~= "" and path:sub(1, #SETTINGS.path) == SETTINGS.path then
    headers:replace(":path", path:sub(#SETTINGS.path + 1))
  end
  local body = handle:body(true)
  local changed = for_the_other(body:getBytes(0, body:length()))
  if changed then
    headers:replace("content-length", tostring(body:setBytes(changed)))
  end
end
