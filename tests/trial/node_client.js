// A caller in Node for the trial: node client.js ADDRESS PROTO_FOLDER GOOGLE_APIS_FOLDER
// Lists all cameras page by page, watches until three verdicts came, and prints both as one line of JSON.
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [address, protos, googleApis] = process.argv.slice(2);
const definition = loader.loadSync(["patrol/v1/cameras.proto", "patrol/v1/patrol.proto"], {
  includeDirs: [protos, googleApis],
  keepCase: false,
  longs: String, // 64-bit ids do not fit a number of JavaScript
  enums: String,
});
const { patrol } = grpc.loadPackageDefinition(definition);
const credentials = grpc.credentials.createInsecure();
const cameras = new patrol.v1.CameraService(address, credentials);
const verdicts = new patrol.v1.PatrolService(address, credentials);

function page(pageToken) {
  return new Promise((resolve, reject) =>
    cameras.ListCameras({ pageSize: 15, pageToken }, (error, reply) => (error ? reject(error) : resolve(reply))),
  );
}

async function count() {
  let total = 0;
  let token = "";
  do {
    const reply = await page(token);
    total += reply.cameras.length;
    token = reply.nextPageToken;
  } while (token);
  return total;
}

function watch(wanted) {
  return new Promise((resolve, reject) => {
    const seen = [];
    const call = verdicts.WatchVerdicts({});
    call.on("data", (message) => {
      seen.push(...(message.verdicts || []));
      if (seen.length >= wanted) {
        call.cancel();
        resolve(seen);
      }
    });
    call.on("error", (error) => (seen.length >= wanted ? resolve(seen) : reject(error)));
  });
}

(async () => {
  const total = await count();
  const seen = await watch(3);
  console.log(JSON.stringify({ cameras: total, verdicts: seen.length, name: seen[0].name }));
  process.exit(0);
})().catch((error) => {
  console.error(String(error));
  process.exit(1);
});
