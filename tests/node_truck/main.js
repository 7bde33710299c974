// node main.js --protos DIR --server HOST:PORT --cab HOST:PORT --truck ID --memory FILE [--tls DIR]
//
// Runs one truck: the control server on one line, the truck's own hardware (here a simulated cab) on the other. Tells what happened as
// lines of JSON. Made from the .proto files alone.
"use strict";

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { randomUUID } = require("node:crypto");
const { parseArgs } = require("node:util");
const grpc = require("@grpc/grpc-js");
const protoLoader = require("@grpc/proto-loader");
const { Memory } = require("./memory");
const { Truck } = require("./truck");

const STEP_MS = 100;
const PAUSE_MS = 200; // and up to as much again, so that a fleet does not come back as one
const REFUSED_PAUSE_MS = 5000; // the reason will not have gone away at once
const CHANNEL = {
  "grpc.keepalive_time_ms": 2000,
  "grpc.keepalive_timeout_ms": 2000,
  "grpc.initial_reconnect_backoff_ms": 200,
  "grpc.max_reconnect_backoff_ms": 600,
  "grpc.max_receive_message_length": 65536,
};
// 64-bit numbers stay text: a double has 53 bits.
const LOADED = { keepCase: true, longs: String, defaults: true, oneofs: true };

const now = () => process.hrtime.bigint();

function tell(fact, details = {}) {
  process.stdout.write(`${JSON.stringify({ fact, at_ms: Date.now(), ...details })}\n`);
}

function credentials(tls) {
  if (!tls) return grpc.credentials.createInsecure();
  const [ca, key, certificate] = ["ca.crt", "me.key", "me.crt"].map((name) => fs.readFileSync(path.join(tls, name)));
  return grpc.credentials.createSsl(ca, key, certificate);
}

/** The truck's line to the control server, made anew after every break. */
class Line {
  constructor(service, server, tls, truck) {
    this.client = new service(server, credentials(tls), CHANNEL);
    this.truck = truck;
    this.stream = null;
    this.reportedNs = 0n;
    this.begin();
  }

  begin() {
    if (!this.truck.reading) return void setTimeout(() => this.begin(), STEP_MS); // who does not know where it is has nothing to say
    const stream = this.client.Connect();
    let refused = false;
    let over = false;
    const lost = (why) => {
      if (over) return;
      over = true;
      this.stream = null;
      this.truck.linkLost();
      tell("link_lost", { why });
      setTimeout(() => this.begin(), (refused ? REFUSED_PAUSE_MS : PAUSE_MS) + Math.random() * PAUSE_MS);
    };
    stream.on("data", (message) => {
      refused = message.content === "refusal";
      this.truck.hear(message, now());
      this.flush();
    });
    stream.on("error", (error) => lost(error.details || error.message));
    stream.on("end", () => lost("the server ended the stream"));
    stream.write(this.truck.hello(now()));
    this.stream = stream;
    this.reportedNs = now();
  }

  /** Sends what waits, and a report when it is time; with no stream, what waits goes on waiting. */
  flush() {
    if (!this.stream) return;
    for (const message of this.truck.drain()) this.stream.write(message);
  }

  beat(nowNs) {
    if (this.stream && this.truck.contact.helloDue(nowNs)) return this.stream.cancel(); // contact lapsed on it: only a new hello brings it back
    this.flush();
    if (!this.stream || nowNs - this.reportedNs < this.truck.reportPeriodNs) return;
    this.reportedNs = nowNs;
    this.stream.write({ report: this.truck.report(nowNs) });
  }

  leave(reason) {
    this.stream?.write({ goodbye: { reason } });
    this.stream?.end();
  }
}

function main() {
  const text = { type: "string" };
  const { values: asked } = parseArgs({ options: { protos: text, server: text, cab: text, truck: text, memory: text, tls: text } });
  const files = ["fleet/v1/truck.proto", "fleet/v1/cab.proto"];
  const { TruckService, CabService } = grpc.loadPackageDefinition(protoLoader.loadSync(files, { ...LOADED, includeDirs: [asked.protos] })).fleet.v1;
  const kind = JSON.parse(fs.readFileSync(path.join(__dirname, "truck_type.json"), "utf8"));
  const identity = {
    truck_id: asked.truck,
    instance_id: os.hostname().slice(0, 48), // the same computer after a restart
    boot_id: randomUUID(), // new at every start: the clock of the reports begins with it
    truck_type_id: kind.truck_type_id,
    software: "node-truck",
  };
  const truck = new Truck(identity, kind, new Memory(asked.memory), tell);

  const cab = new CabService(asked.cab, grpc.credentials.createInsecure()).Drive();
  cab.on("data", (reading) => truck.sense(reading, now()));
  // Without its hardware a computer is no truck; the hardware brakes by itself when it hears no more.
  cab.on("error", (error) => end(1, `cab: ${error.details || error.message}`));
  cab.on("end", () => end(1, "the cab is gone"));

  const line = new Line(TruckService, asked.server, asked.tls, truck);
  setInterval(() => {
    const nowNs = now();
    cab.write(truck.step(nowNs));
    line.beat(nowNs);
  }, STEP_MS);

  function end(code, why) {
    tell("ended", { why });
    process.exit(code);
  }
  process.on("SIGTERM", () => {
    line.leave("asked to end");
    setTimeout(() => end(0, "asked to end"), STEP_MS);
  });
}

main();
