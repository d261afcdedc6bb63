// A gateway reduced to its fan-out, as in the documentation of ws: `send` to every client.
// node relay.js PORT
"use strict";

const { WebSocketServer } = require("ws");

const members = new Set();
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 4096 });

server.on("connection", (member) => {
  member.on("close", () => members.delete(member));
  member.on("message", (data) => {
    const { t, room, id, sent, text } = JSON.parse(data);
    if (t === "join") {
      members.add(member);
      member.send(JSON.stringify({ t: "joined", room }));
    } else if (t === "say") {
      member.send(JSON.stringify({ t: "ack", id }));
      // JSON.parse rounds the nanoseconds to the nearest double, so they are copied from the text. The frame is a
      // Buffer, because a string would be encoded again for each member.
      const nanoseconds = /"sent":(\d+)/.exec(data)[1];
      const head = `{"t":"chat","room":${JSON.stringify(room)},"from":"g0-1","id":${id},"sent":${nanoseconds}`;
      const chat = Buffer.from(`${head},"text":${JSON.stringify(text)}}`);
      for (const each of members) each.send(chat, { binary: false });
    }
  });
});
