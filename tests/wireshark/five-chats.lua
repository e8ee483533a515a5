-- The chat protocols of the five stages, for Wireshark and tshark.
--
--   tshark -r stage4.pcapng -X lua_script:tests/wireshark/five-chats.lua
--   Wireshark: copy this file into the personal Lua plugins folder (Help > About > Folders)
--
-- A message is one line of text, ended by a line feed (rule L1). TCP knows nothing of lines: one
-- segment may bring two of them, or half of one. So this dissector asks for more bytes until a line
-- has its end, and marks in the packet list where segments and messages are not the same.

local chat = Proto("chat", "Five chats")

local f_line = ProtoField.string("chat.line", "Line")
local f_kind = ProtoField.string("chat.kind", "Kind")
local f_name = ProtoField.string("chat.name", "Name", base.UNICODE, "Who speaks, or is spoken to")
local f_text = ProtoField.string("chat.text", "Text")
local f_room = ProtoField.string("chat.room", "Room")
chat.fields = { f_line, f_kind, f_name, f_text, f_room }

local joined = ProtoExpert.new("chat.joined", "Two messages in one segment",
  expert.group.SEQUENCE, expert.severity.NOTE)
local split = ProtoExpert.new("chat.split", "A message that came in several segments",
  expert.group.SEQUENCE, expert.severity.NOTE)
local overlong = ProtoExpert.new("chat.overlong", "Longer than a line may be (rule L3)",
  expert.group.PROTOCOL, expert.severity.WARN)
local refused = ProtoExpert.new("chat.refused", "The server refuses something",
  expert.group.RESPONSE_CODE, expert.severity.NOTE)
chat.experts = { joined, split, overlong, refused }

-- Bytes of the longest line of a server (rule L3).
local LINE_BYTES_MAX = 8192
local LF = 10

local segment_length = Field.new("tcp.len")

-- What a line is, and its parts; nil where it has none.
local function parse(line, from_server)
  if from_server then
    if line:sub(1, 2) == "! " then return "error", nil, line:sub(3) end
    if line == "NICK" then return "question" end
    local room, rest = line:match("^%[(#[%w_-]+)%] (.*)$")
    if room then
      if rest:sub(1, 2) == "* " then return "notice", nil, rest:sub(3), room end
      local name, text = rest:match("^([%a][%w_-]*): (.*)$")
      if name then return "message", name, text, room end
      return "action", nil, rest, room
    end
    local private = line:match("^%[private%] (.*)$")
    if private then
      local name, text = private:match("^([%a][%w_-]*): (.*)$")
      return "private message", name, text or private
    end
    if line:sub(1, 2) == "* " then return "notice", nil, line:sub(3) end
    if line:match("^You are connected from: ") then return "greeting" end
    local saved = line:match("^Your user detail saved as: (.*)$")
    if saved then return "registered", saved end
    local name, text = line:match("^([%a][%w_-]*): (.*)$")
    if name then return "message", name, text end
    return "text", nil, line
  end
  local name, text = line:match("^@([^:]*):(.*)$")
  if name then return "message to one", name, text end
  local register = line:match("^#([%a][%w_-]*)$")
  if register then return "registration", register end
  local command, rest = line:match("^(/%a+) ?(.*)$")
  if command then return "command " .. command, nil, rest end
  if line == "exit" then return "goodbye" end
  return "words", nil, line
end

-- The server is the side that was connected to: the one with the port of the conversation's first SYN.
local servers = {}

local function is_from_server(pinfo)
  local forth = tostring(pinfo.src) .. ":" .. pinfo.src_port .. ">" .. tostring(pinfo.dst) .. ":" .. pinfo.dst_port
  local back = tostring(pinfo.dst) .. ":" .. pinfo.dst_port .. ">" .. tostring(pinfo.src) .. ":" .. pinfo.src_port
  if servers[back] ~= nil then return not servers[back] end
  if servers[forth] ~= nil then return servers[forth] end
  servers[forth] = pinfo.src_port == pinfo.match_uint or chat.prefs.ports:find(tostring(pinfo.src_port), 1, true) ~= nil
  return servers[forth]
end

local function end_of_line(buffer, offset)
  local length = buffer:len()
  for at = offset, length - 1 do
    if buffer(at, 1):uint() == LF then return at end
  end
  return nil
end

local function show(tree, buffer, offset, length, from_server)
  local range = buffer(offset, length)
  local line = range:string(ENC_UTF_8):gsub("[\r\n]+$", "")
  local kind, name, text, room = parse(line, from_server)
  local part = tree:add(chat, range, "Five chats, " .. kind .. ": " .. line)
  part:add(f_line, range, line)
  part:add(f_kind, range, kind):set_generated()
  if room then part:add(f_room, range, room) end
  if name then part:add(f_name, range, name) end
  if text then part:add(f_text, range, text) end
  if kind == "error" then part:add_proto_expert_info(refused, line) end
  if length > LINE_BYTES_MAX then part:add_proto_expert_info(overlong) end
  return part, line
end

function chat.dissector(buffer, pinfo, tree)
  local from_server = is_from_server(pinfo)
  local segment = segment_length()
  local was_split = segment ~= nil and buffer:len() > segment.value
  local offset, lines, info, last = 0, 0, {}, nil
  while offset < buffer:len() do
    local stop = end_of_line(buffer, offset)
    if stop == nil then
      -- Half a line: what is here is given again, together with the next segment.
      pinfo.desegment_offset = offset
      pinfo.desegment_len = DESEGMENT_ONE_MORE_SEGMENT
      break
    end
    local part, line = show(tree, buffer, offset, stop + 1 - offset, from_server)
    if lines == 0 and was_split then part:add_proto_expert_info(split) end
    lines = lines + 1
    last = part
    table.insert(info, line)
    offset = stop + 1
  end
  if lines > 0 then
    pinfo.cols.protocol = "CHAT"
    local marks = (was_split and "[split] " or "") .. (lines > 1 and "[" .. lines .. " joined] " or "")
    pinfo.cols.info = marks .. (from_server and "server: " or "client: ") .. table.concat(info, " | ")
  end
  if lines > 1 and last then last:add_proto_expert_info(joined, lines .. " messages in one segment") end
  return buffer:len()
end

-- Any port: the first thing that a server of stage 3, 4 or 5 says is known.
local function is_chat(buffer, pinfo, tree)
  local start = buffer(0, math.min(buffer:len(), 24)):string()
  if start:sub(1, 5) ~= "NICK\n" and start:sub(1, 22) ~= "You are connected from" then return false end
  servers[tostring(pinfo.src) .. ":" .. pinfo.src_port .. ">" .. tostring(pinfo.dst) .. ":" .. pinfo.dst_port] = true
  pinfo.conversation = chat
  chat.dissector(buffer, pinfo, tree)
  return true
end
chat:register_heuristic("tcp", is_chat)

-- The stages' own ports; stages 1 and 2 have no greeting by which they could be known.
chat.prefs.ports = Pref.string("Ports", "8001 8002 8003 8004 8005", "TCP ports of chat servers, with blanks between")
local function register()
  for port in chat.prefs.ports:gmatch("%d+") do
    DissectorTable.get("tcp.port"):add(tonumber(port), chat)
  end
end
register()
function chat.prefs_changed() register() end
