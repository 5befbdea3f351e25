// Every group call of Mixpanel's Node library, against the host and port given.

const Mixpanel = require("mixpanel");
const { promisify } = require("node:util");

const { hostname, port } = new URL(process.argv[2]);

async function calls(config) {
  const { groups } = Mixpanel.init("token", { host: hostname, port, protocol: "http", keepAlive: false, ...config });
  const call = (name, ...given) => promisify(groups[name].bind(groups))(...given);
  await call("set", "company", "acme", { name: "Acme", plan: "free" });
  await call("set_once", "company", "acme", { plan: "paid", since: 2020 });
  await call("union", "company", "acme", { tags: ["a", "b"] });
  await call("union", "company", "acme", { tags: ["b", "c"] });
  await call("remove", "company", "acme", { tags: "b" });
  await call("unset", "company", "acme", ["name"]);
  await call("set", "company", "gone", { x: 1 });
  await call("delete_group", "company", "gone");
  await call("set", "company", "reject-me", { x: 1 }).then(
    () => console.log("taken"),
    (error) => console.log(error.message),
  );
}

calls({}).then(() => calls({ verbose: true }));
