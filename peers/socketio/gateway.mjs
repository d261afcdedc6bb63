// A chat gateway of Socket.IO with its Redis adapter, as its documentation sets one up.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const settings = JSON.parse(readFileSync(0, "utf8"));

const publisher = createClient({ url: settings.services.redis_url });
const subscriber = publisher.duplicate();
for (const client of [publisher, subscriber]) client.on("error", (problem) => console.error(`Redis: ${problem.message}`));
await Promise.all([publisher.connect(), subscriber.connect()]);

const ADDRESS = /^(localhost|[\d.]+|\[[\da-f:.]+\])(:\d+)?$/; // a name can be made to lead here by the page that calls it

const server = createServer((request, response) => {
  if (!ADDRESS.test(request.headers.host ?? "localhost"))
    return void response.writeHead(403).end("this server does not go by that name; call it by its address, or as localhost\n");
  if (request.url !== "/stats") return void response.writeHead(404).end();
  response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(stats()));
});
const io = new Server(server, {
  adapter: createAdapter(publisher, subscriber, { key: settings.topology.run_id }),
  transports: ["websocket"],
  serveClient: false,
  maxHttpBufferSize: settings.limits.message_max_bytes,
});

io.on("connection", (socket) => {
  const answer = (frame) => socket.emit("frame", frame);
  socket.on("frame", async (frame) => {
    const { t, room, id, text, sent = null } = frame ?? {};
    if (t === "join" && typeof room === "string") {
      await socket.join(room);
      answer({ t: "joined", room });
    } else if (t === "leave" && typeof room === "string") {
      await socket.leave(room);
    } else if (t === "say" && typeof room === "string" && Number.isInteger(id) && typeof text === "string") {
      io.to(room).emit("frame", { t: "chat", room, from: socket.id, id, sent, text });
      answer({ t: "ack", id });
    } else {
      answer({ t: "error", code: "bad_frame", reason: "no frame of chatbench" });
    }
  });
});

function stats() {
  const { sids, rooms } = io.of("/").adapter;
  const { user, system } = process.cpuUsage();
  return {
    process: String(process.pid),
    cpu_s: (user + system) / 1e6,
    rss_bytes: process.memoryUsage.rss(),
    members: sids.size,
    rooms: [...rooms.keys()].filter((room) => !sids.has(room)).length, // each socket is also a room of its own
    counts: {},
  };
}

process.on("SIGTERM", () => process.exit(0));
server.listen(settings.port, settings.exposure.bind);
