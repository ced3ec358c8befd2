-- store_forget: a plugin is uninstalled; nothing that it kept is left, of any org.
--
-- KEYS  orgs (set of those that it kept something for)
-- ARGV  prefixes of the keys that end in an org
-- Gives the number of orgs. Those keys are not among KEYS; they share its hash tag.

local orgs = redis.call('SMEMBERS', KEYS[1])
for _, org in ipairs(orgs) do
  for _, prefix in ipairs(ARGV) do redis.call('UNLINK', prefix .. org) end
end
redis.call('UNLINK', KEYS[1])
return #orgs
