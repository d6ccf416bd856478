-- POST /cgi-bin/note?id=X: writes the line "note X" to the serial console, whose log is kept on the host, reads the whole
-- body, and answers. So the host knows which requests ran, also after the guest has died. It runs inside the web
-- server: a process for each would cost more under emulation than everything else.
local r = lighty.r

local function reply(status, text)
  r.resp_header["Content-Type"] = "text/plain"
  r.resp_header["Cache-Control"] = "no-store"
  r.resp_body.set({ text .. "\n" })
  return status
end

if r.req_attr["request.method"] ~= "POST" then return reply(405, "note what? POST /cgi-bin/note?id=X") end
local id = string.match("&" .. (r.req_attr["uri.query"] or ""), "&id=([%w_-]+)")
if not id then return reply(400, "parameter id is missing; letters, digits, _ and - are allowed") end
if not r.req_body.collect then return 0 end
console = console or io.open("/dev/ttyS0", "w")
if not console then return reply(500, "could not write to the console") end
console:setvbuf("no")
console:write("\nnote " .. id .. "\n")
return reply(200, "noted " .. id)
