BEGIN TRANSACTION;
CREATE TABLE addresses (
        pool TEXT NOT NULL, address TEXT NOT NULL, uid TEXT NOT NULL, slot INTEGER NOT NULL,
        PRIMARY KEY (pool, address),
        FOREIGN KEY (uid, slot) REFERENCES nics (uid, slot));
INSERT INTO "addresses" VALUES('app','10.10.110.2','cd613e30d8f16adf91b7584a2265b1f5',0);
INSERT INTO "addresses" VALUES('app','10.10.110.3','78e510617311d8a3c2ce6f447ed4d57b',0);
INSERT INTO "addresses" VALUES('app','10.10.110.4','d5f4b3b2e4b06ce60741c7a87ce42c82',0);
CREATE TABLE approvals (
        number TEXT NOT NULL REFERENCES requests (number), seq INTEGER NOT NULL,
        revision INTEGER NOT NULL, offer_digest TEXT NOT NULL, offer TEXT NOT NULL,
        login TEXT NOT NULL, person TEXT NOT NULL, role TEXT NOT NULL, at TEXT NOT NULL,
        hold_until TEXT NOT NULL, voided_at TEXT,
        PRIMARY KEY (number, seq),
        FOREIGN KEY (number, revision) REFERENCES revisions (number, revision));
INSERT INTO "approvals" VALUES('R-2026-0001',1,1,'offer-1','{"cluster":"dc"}','budi','Budi Santoso','approver','2026-11-20T01:00:00.000000Z','2026-12-04T01:00:00.000000Z',NULL);
INSERT INTO "approvals" VALUES('R-2026-0002',1,1,'offer-1','{"cluster":"dc"}','budi','Budi Santoso','approver','2026-11-20T01:01:00.000000Z','2026-12-04T01:00:00.000000Z',NULL);
INSERT INTO "approvals" VALUES('R-2026-0005',1,1,'offer-1','{"cluster":"dc"}','budi','Budi Santoso','approver','2026-11-20T01:01:00.000000Z','2026-12-04T01:00:00.000000Z',NULL);
CREATE TABLE audit (
        seq INTEGER NOT NULL PRIMARY KEY, at TEXT NOT NULL, login TEXT NOT NULL,
        person TEXT NOT NULL, role TEXT NOT NULL, action TEXT NOT NULL, opd TEXT,
        subject TEXT NOT NULL, details TEXT NOT NULL, previous TEXT NOT NULL,
        hash TEXT NOT NULL);
INSERT INTO "audit" VALUES(1,'2026-11-20T01:00:00.000000Z','siti','Siti Rahmawati','requester','request.queue','dinkes','R-2026-0001','{"key": "dinkes/simrs", "revision": 1, "spec_hash": "f9f642b22558e1cf524c15a98143301497852139de8327bb1d71147cca9375ea", "state": "pending"}','0000000000000000000000000000000000000000000000000000000000000000','04eeac239221175c8065b47b4617f654b3375618ae018c5e62356dcf0fd92f2c');
INSERT INTO "audit" VALUES(2,'2026-11-20T01:00:00.000000Z','budi','Budi Santoso','approver','request.approve','dinkes','R-2026-0001','{"hold": "{\"instances\": 2, \"memory\": 200}", "key": "dinkes/simrs", "offer_digest": "offer-1", "revision": 1, "spec_hash": "f9f642b22558e1cf524c15a98143301497852139de8327bb1d71147cca9375ea", "state": "approved"}','04eeac239221175c8065b47b4617f654b3375618ae018c5e62356dcf0fd92f2c','51fe53cf4da36cdfe36eecabf9da5777476d05131936c1f6f3de31f7db848974');
INSERT INTO "audit" VALUES(3,'2026-11-20T01:00:00.000000Z','oki','Oki Pratama','operator','request.begin','dinkes','R-2026-0001','{"key": "dinkes/simrs", "revision": 1, "spec_hash": "f9f642b22558e1cf524c15a98143301497852139de8327bb1d71147cca9375ea", "state": "applying"}','51fe53cf4da36cdfe36eecabf9da5777476d05131936c1f6f3de31f7db848974','6897ca951a14624e38170e162a5409053f9602d802e0b9685d87a3277ebaa803');
INSERT INTO "audit" VALUES(4,'2026-11-20T01:00:00.000000Z','oki','Oki Pratama','operator','instance.claim','dinkes','dinkes/simrs/db-1','{"cluster": "dc", "name": "dinkes-simrs-db-1", "number": "R-2026-0001", "uid": "cd613e30d8f16adf91b7584a2265b1f5", "vmid": 10000}','6897ca951a14624e38170e162a5409053f9602d802e0b9685d87a3277ebaa803','64e79d4c65a5694b9cb81572124e9790f75076510fecb1b56bf2e68622a28e98');
INSERT INTO "audit" VALUES(5,'2026-11-20T01:00:00.000000Z','oki','Oki Pratama','operator','instance.claim','dinkes','dinkes/simrs/db-2','{"cluster": "dc", "name": "dinkes-simrs-db-2", "number": "R-2026-0001", "uid": "78e510617311d8a3c2ce6f447ed4d57b", "vmid": 10001}','64e79d4c65a5694b9cb81572124e9790f75076510fecb1b56bf2e68622a28e98','ce1d419640da6ecba2d282367feb66664473ec4f136dd691436a38f5439ae90e');
INSERT INTO "audit" VALUES(6,'2026-11-20T01:01:00.000000Z','oki','Oki Pratama','operator','instance.create','dinkes','dinkes/simrs/db-1','{"number": "R-2026-0001", "state": "creating", "uid": "cd613e30d8f16adf91b7584a2265b1f5"}','ce1d419640da6ecba2d282367feb66664473ec4f136dd691436a38f5439ae90e','31ce357b3cc480c79f0e78f01d83434d242c4b029dbdf7f9540de4ddb795f087');
INSERT INTO "audit" VALUES(7,'2026-11-20T01:01:00.000000Z','oki','Oki Pratama','operator','instance.activate','dinkes','dinkes/simrs/db-1','{"number": "R-2026-0001", "state": "active", "uid": "cd613e30d8f16adf91b7584a2265b1f5"}','31ce357b3cc480c79f0e78f01d83434d242c4b029dbdf7f9540de4ddb795f087','74ebe46318d25eab928f52222bde557fd88015e67dd7ca30f9ee62607042349d');
INSERT INTO "audit" VALUES(8,'2026-11-20T01:01:00.000000Z','oki','Oki Pratama','operator','instance.create','dinkes','dinkes/simrs/db-2','{"number": "R-2026-0001", "state": "creating", "uid": "78e510617311d8a3c2ce6f447ed4d57b"}','74ebe46318d25eab928f52222bde557fd88015e67dd7ca30f9ee62607042349d','81e8d8b13b0d3aed2310c52a57e3d4c009be793f2037225830800d9ab3d7c5d0');
INSERT INTO "audit" VALUES(9,'2026-11-20T01:01:00.000000Z','oki','Oki Pratama','operator','instance.activate','dinkes','dinkes/simrs/db-2','{"number": "R-2026-0001", "state": "active", "uid": "78e510617311d8a3c2ce6f447ed4d57b"}','81e8d8b13b0d3aed2310c52a57e3d4c009be793f2037225830800d9ab3d7c5d0','b4936064c0d04cda45f5f13bf28542d95f818a793b52d8a74fb6a833b05a0233');
INSERT INTO "audit" VALUES(10,'2026-11-20T01:01:00.000000Z','oki','Oki Pratama','operator','request.finish','dinkes','R-2026-0001','{"key": "dinkes/simrs", "revision": 1, "state": "active"}','b4936064c0d04cda45f5f13bf28542d95f818a793b52d8a74fb6a833b05a0233','f6603dda7ec2d33a07b01b279156ddedca5eaf9f0657669f8083684aabf1611d');
INSERT INTO "audit" VALUES(11,'2026-11-20T01:01:00.000000Z','siti','Siti Rahmawati','requester','request.queue','dinkes','R-2026-0002','{"key": "dinkes/arsip", "revision": 1, "spec_hash": "e016e2d83eca296498dbe74fd8ace4f3e4ce1b06cdd91b2d0bed7e1612103ea0", "state": "pending"}','f6603dda7ec2d33a07b01b279156ddedca5eaf9f0657669f8083684aabf1611d','3f4f9c44e49c09f44c649050e39d2dbd961eee4f8b5a5a775f458effc3f9a216');
INSERT INTO "audit" VALUES(12,'2026-11-20T01:01:00.000000Z','budi','Budi Santoso','approver','request.approve','dinkes','R-2026-0002','{"hold": "{\"instances\": 1, \"memory\": 100}", "key": "dinkes/arsip", "offer_digest": "offer-1", "revision": 1, "spec_hash": "e016e2d83eca296498dbe74fd8ace4f3e4ce1b06cdd91b2d0bed7e1612103ea0", "state": "approved"}','3f4f9c44e49c09f44c649050e39d2dbd961eee4f8b5a5a775f458effc3f9a216','ea89d8d12b08f2be733ef1e97a4b6b473971951b89fd8e03514e80c927704c38');
INSERT INTO "audit" VALUES(13,'2026-11-20T01:01:00.000000Z','siti','Siti Rahmawati','requester','request.queue','bkad','R-2026-0003','{"key": "bkad/simda", "revision": 1, "spec_hash": "510c7e79d8473776b41b57b2063df93b8e1f6eeeb08427310f68bfee181158f5", "state": "pending"}','ea89d8d12b08f2be733ef1e97a4b6b473971951b89fd8e03514e80c927704c38','4195599292e6fff9b2ee4dbe9f9428050582b57e8f0f2d6e7d5faf7fd1e3be3a');
INSERT INTO "audit" VALUES(14,'2026-11-20T01:01:00.000000Z','siti','Siti Rahmawati','requester','request.queue','bkad','R-2026-0004','{"key": "bkad/lama", "revision": 1, "spec_hash": "5fd85ea6756d1bc78081b918c1be5a0629403a6db63e105fd98e510dbe267b4f", "state": "pending"}','4195599292e6fff9b2ee4dbe9f9428050582b57e8f0f2d6e7d5faf7fd1e3be3a','8db505b74e9181fcb2c54824feda84f098534bf806c87adb877bd632f59dbf15');
INSERT INTO "audit" VALUES(15,'2026-11-20T01:01:00.000000Z','budi','Budi Santoso','approver','request.deny','bkad','R-2026-0004','{"key": "bkad/lama", "reason": "kurang jelas", "revision": 1, "state": "denied"}','8db505b74e9181fcb2c54824feda84f098534bf806c87adb877bd632f59dbf15','b5ef267e69a36d502e80efbf57f653cc1f711f8022691f700d41c9e08bf14e94');
INSERT INTO "audit" VALUES(16,'2026-11-20T01:01:00.000000Z','siti','Siti Rahmawati','requester','request.queue','bkad','R-2026-0005','{"key": "bkad/baru", "revision": 1, "spec_hash": "5124b0addd9d64ca7e1c327577f029ba1bd65304ce539d9dcf0110939080f1f2", "state": "pending"}','b5ef267e69a36d502e80efbf57f653cc1f711f8022691f700d41c9e08bf14e94','3d3e17416bf8a1a850d9fd33c8d84bc03b95d58e4fb2cc4d41361ba22cf0fb13');
INSERT INTO "audit" VALUES(17,'2026-11-20T01:01:00.000000Z','budi','Budi Santoso','approver','request.approve','bkad','R-2026-0005','{"hold": "{\"instances\": 1, \"memory\": 100}", "key": "bkad/baru", "offer_digest": "offer-1", "revision": 1, "spec_hash": "5124b0addd9d64ca7e1c327577f029ba1bd65304ce539d9dcf0110939080f1f2", "state": "approved"}','3d3e17416bf8a1a850d9fd33c8d84bc03b95d58e4fb2cc4d41361ba22cf0fb13','ba411aef31e9a2f572a09bbe5bbba89f631cd5df8c7ff612759bf639a62e6361');
INSERT INTO "audit" VALUES(18,'2026-11-20T01:01:00.000000Z','oki','Oki Pratama','operator','request.begin','bkad','R-2026-0005','{"key": "bkad/baru", "revision": 1, "spec_hash": "5124b0addd9d64ca7e1c327577f029ba1bd65304ce539d9dcf0110939080f1f2", "state": "applying"}','ba411aef31e9a2f572a09bbe5bbba89f631cd5df8c7ff612759bf639a62e6361','10e28fdd12b2350f178ae5d705ace55d76dedeec7126f3b02af1a131b82a6921');
INSERT INTO "audit" VALUES(19,'2026-11-20T01:01:00.000000Z','oki','Oki Pratama','operator','instance.claim','bkad','bkad/baru/app-1','{"cluster": "dc", "name": "bkad-baru-app-1", "number": "R-2026-0005", "uid": "d5f4b3b2e4b06ce60741c7a87ce42c82", "vmid": 13000}','10e28fdd12b2350f178ae5d705ace55d76dedeec7126f3b02af1a131b82a6921','9a326d65f053c2c9275a9d180052c35ddc54413b4e62d96d9fe5ba99f3288091');
CREATE TABLE instances (
        uid TEXT NOT NULL PRIMARY KEY, key TEXT NOT NULL, opd TEXT NOT NULL,
        number TEXT NOT NULL REFERENCES requests (number), member TEXT NOT NULL,
        name TEXT NOT NULL, cluster TEXT NOT NULL, vmid INTEGER NOT NULL, role TEXT NOT NULL,
        state TEXT NOT NULL, node TEXT, storages TEXT NOT NULL, targets TEXT NOT NULL,
        error TEXT, active_since TEXT, updated_at TEXT NOT NULL);
INSERT INTO "instances" VALUES('cd613e30d8f16adf91b7584a2265b1f5','dinkes/simrs/db-1','dinkes','R-2026-0001','db-1','dinkes-simrs-db-1','dc',10000,'primary','active',NULL,'{}','[]',NULL,'2026-11-20T01:01:00.000000Z','2026-11-20T01:01:00.000000Z');
INSERT INTO "instances" VALUES('78e510617311d8a3c2ce6f447ed4d57b','dinkes/simrs/db-2','dinkes','R-2026-0001','db-2','dinkes-simrs-db-2','dc',10001,'primary','active',NULL,'{}','[]',NULL,'2026-11-20T01:01:00.000000Z','2026-11-20T01:01:00.000000Z');
INSERT INTO "instances" VALUES('d5f4b3b2e4b06ce60741c7a87ce42c82','bkad/baru/app-1','bkad','R-2026-0005','app-1','bkad-baru-app-1','dc',13000,'primary','planned',NULL,'{}','[]',NULL,NULL,'2026-11-20T01:01:00.000000Z');
CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO "meta" VALUES('identity','login');
CREATE TABLE nics (
        uid TEXT NOT NULL REFERENCES instances (uid), slot INTEGER NOT NULL,
        network TEXT NOT NULL, mac TEXT NOT NULL UNIQUE, PRIMARY KEY (uid, slot));
INSERT INTO "nics" VALUES('cd613e30d8f16adf91b7584a2265b1f5',0,'app','BC:24:11:20:82:3C');
INSERT INTO "nics" VALUES('78e510617311d8a3c2ce6f447ed4d57b',0,'app','BC:24:11:C2:6B:30');
INSERT INTO "nics" VALUES('d5f4b3b2e4b06ce60741c7a87ce42c82',0,'app','BC:24:11:C7:DD:01');
CREATE TABLE postings (
        seq INTEGER NOT NULL PRIMARY KEY, at TEXT NOT NULL, opd TEXT NOT NULL,
        number TEXT NOT NULL REFERENCES requests (number), instance TEXT NOT NULL,
        dimension TEXT NOT NULL, held INTEGER NOT NULL, committed INTEGER NOT NULL);
INSERT INTO "postings" VALUES(1,'2026-11-20T01:00:00.000000Z','dinkes','R-2026-0001','dinkes/simrs/db-1','instances',1,0);
INSERT INTO "postings" VALUES(2,'2026-11-20T01:00:00.000000Z','dinkes','R-2026-0001','dinkes/simrs/db-1','memory',100,0);
INSERT INTO "postings" VALUES(3,'2026-11-20T01:00:00.000000Z','dinkes','R-2026-0001','dinkes/simrs/db-2','instances',1,0);
INSERT INTO "postings" VALUES(4,'2026-11-20T01:00:00.000000Z','dinkes','R-2026-0001','dinkes/simrs/db-2','memory',100,0);
INSERT INTO "postings" VALUES(5,'2026-11-20T01:01:00.000000Z','dinkes','R-2026-0001','dinkes/simrs/db-1','instances',-1,1);
INSERT INTO "postings" VALUES(6,'2026-11-20T01:01:00.000000Z','dinkes','R-2026-0001','dinkes/simrs/db-1','memory',-100,100);
INSERT INTO "postings" VALUES(7,'2026-11-20T01:01:00.000000Z','dinkes','R-2026-0001','dinkes/simrs/db-2','instances',-1,1);
INSERT INTO "postings" VALUES(8,'2026-11-20T01:01:00.000000Z','dinkes','R-2026-0001','dinkes/simrs/db-2','memory',-100,100);
INSERT INTO "postings" VALUES(9,'2026-11-20T01:01:00.000000Z','dinkes','R-2026-0002','dinkes/arsip/web-1','instances',1,0);
INSERT INTO "postings" VALUES(10,'2026-11-20T01:01:00.000000Z','dinkes','R-2026-0002','dinkes/arsip/web-1','memory',100,0);
INSERT INTO "postings" VALUES(11,'2026-11-20T01:01:00.000000Z','bkad','R-2026-0005','bkad/baru/app-1','instances',1,0);
INSERT INTO "postings" VALUES(12,'2026-11-20T01:01:00.000000Z','bkad','R-2026-0005','bkad/baru/app-1','memory',100,0);
CREATE TABLE requests (
        number TEXT NOT NULL PRIMARY KEY, opd TEXT NOT NULL, name TEXT NOT NULL,
        revision INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT, updated_at TEXT NOT NULL,
        UNIQUE (opd, name));
INSERT INTO "requests" VALUES('R-2026-0001','dinkes','simrs',1,'active',NULL,'2026-11-20T01:01:00.000000Z');
INSERT INTO "requests" VALUES('R-2026-0002','dinkes','arsip',1,'approved',NULL,'2026-11-20T01:01:00.000000Z');
INSERT INTO "requests" VALUES('R-2026-0003','bkad','simda',1,'pending',NULL,'2026-11-20T01:01:00.000000Z');
INSERT INTO "requests" VALUES('R-2026-0004','bkad','lama',1,'denied','kurang jelas','2026-11-20T01:01:00.000000Z');
INSERT INTO "requests" VALUES('R-2026-0005','bkad','baru',1,'applying',NULL,'2026-11-20T01:01:00.000000Z');
CREATE TABLE revisions (
        number TEXT NOT NULL REFERENCES requests (number), revision INTEGER NOT NULL,
        spec_hash TEXT NOT NULL, spec TEXT NOT NULL, source TEXT NOT NULL,
        login TEXT NOT NULL, person TEXT NOT NULL, role TEXT NOT NULL, at TEXT NOT NULL,
        PRIMARY KEY (number, revision));
INSERT INTO "revisions" VALUES('R-2026-0001',1,'f9f642b22558e1cf524c15a98143301497852139de8327bb1d71147cca9375ea','{"letter":{"date":"2026-11-20","number":"500.12.3/417/Dinkes/2026"},"name":"simrs","opd":"dinkes","purpose":"Sistem rumah sakit","requester":{"email":"siti@dinkes.example.go.id","name":"Siti Rahmawati","nip":"198501012010012001","position":"Kasubag TI"},"service_class":"normal","until":"2027-12-31","vms":[{"count":2,"cpu":4,"disks":[{"name":"root","protect":true,"size":40960,"storage_class":"ssd"}],"image":"debian-12","keep_apart":false,"memory":8192,"name":"db","networks":[{"network":"app","public_ip":false}],"ssh_keys":["ssh-ed25519 AAAA siti@dinkes"]}]}','source','siti','Siti Rahmawati','requester','2026-11-20T01:00:00.000000Z');
INSERT INTO "revisions" VALUES('R-2026-0002',1,'e016e2d83eca296498dbe74fd8ace4f3e4ce1b06cdd91b2d0bed7e1612103ea0','{"letter":{"date":"2026-11-20","number":"500.12.3/417/Dinkes/2026"},"name":"arsip","opd":"dinkes","purpose":"Sistem rumah sakit","requester":{"email":"siti@dinkes.example.go.id","name":"Siti Rahmawati","nip":"198501012010012001","position":"Kasubag TI"},"service_class":"normal","until":"2027-12-31","vms":[{"count":1,"cpu":4,"disks":[{"name":"root","protect":true,"size":40960,"storage_class":"ssd"}],"image":"debian-12","keep_apart":false,"memory":8192,"name":"web","networks":[{"network":"app","public_ip":false}],"ssh_keys":["ssh-ed25519 AAAA siti@dinkes"]}]}','source','siti','Siti Rahmawati','requester','2026-11-20T01:01:00.000000Z');
INSERT INTO "revisions" VALUES('R-2026-0003',1,'510c7e79d8473776b41b57b2063df93b8e1f6eeeb08427310f68bfee181158f5','{"letter":{"date":"2026-11-20","number":"500.12.3/417/Dinkes/2026"},"name":"simda","opd":"bkad","purpose":"Sistem rumah sakit","requester":{"email":"siti@dinkes.example.go.id","name":"Siti Rahmawati","nip":"198501012010012001","position":"Kasubag TI"},"service_class":"normal","until":"2027-12-31","vms":[{"count":1,"cpu":4,"disks":[{"name":"root","protect":true,"size":40960,"storage_class":"ssd"}],"image":"debian-12","keep_apart":false,"memory":8192,"name":"app","networks":[{"network":"app","public_ip":false}],"ssh_keys":["ssh-ed25519 AAAA siti@dinkes"]}]}','source','siti','Siti Rahmawati','requester','2026-11-20T01:01:00.000000Z');
INSERT INTO "revisions" VALUES('R-2026-0004',1,'5fd85ea6756d1bc78081b918c1be5a0629403a6db63e105fd98e510dbe267b4f','{"letter":{"date":"2026-11-20","number":"500.12.3/417/Dinkes/2026"},"name":"lama","opd":"bkad","purpose":"Sistem rumah sakit","requester":{"email":"siti@dinkes.example.go.id","name":"Siti Rahmawati","nip":"198501012010012001","position":"Kasubag TI"},"service_class":"normal","until":"2027-12-31","vms":[{"count":1,"cpu":4,"disks":[{"name":"root","protect":true,"size":40960,"storage_class":"ssd"}],"image":"debian-12","keep_apart":false,"memory":8192,"name":"app","networks":[{"network":"app","public_ip":false}],"ssh_keys":["ssh-ed25519 AAAA siti@dinkes"]}]}','source','siti','Siti Rahmawati','requester','2026-11-20T01:01:00.000000Z');
INSERT INTO "revisions" VALUES('R-2026-0005',1,'5124b0addd9d64ca7e1c327577f029ba1bd65304ce539d9dcf0110939080f1f2','{"letter":{"date":"2026-11-20","number":"500.12.3/417/Dinkes/2026"},"name":"baru","opd":"bkad","purpose":"Sistem rumah sakit","requester":{"email":"siti@dinkes.example.go.id","name":"Siti Rahmawati","nip":"198501012010012001","position":"Kasubag TI"},"service_class":"normal","until":"2027-12-31","vms":[{"count":1,"cpu":4,"disks":[{"name":"root","protect":true,"size":40960,"storage_class":"ssd"}],"image":"debian-12","keep_apart":false,"memory":8192,"name":"app","networks":[{"network":"app","public_ip":false}],"ssh_keys":["ssh-ed25519 AAAA siti@dinkes"]}]}','source','siti','Siti Rahmawati','requester','2026-11-20T01:01:00.000000Z');
CREATE TABLE sagas (
        id TEXT NOT NULL PRIMARY KEY, number TEXT NOT NULL REFERENCES requests (number),
        kind TEXT NOT NULL, plan_digest TEXT NOT NULL, state TEXT NOT NULL,
        started_at TEXT NOT NULL, owner TEXT, heartbeat TEXT NOT NULL);
CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY, applied_at TEXT NOT NULL);
INSERT INTO "schema_version" VALUES(1,'2026-11-20T01:00:00.000000Z');
INSERT INTO "schema_version" VALUES(2,'2026-11-20T01:00:00.000000Z');
CREATE TABLE steps (
        saga TEXT NOT NULL REFERENCES sagas (id), subject TEXT NOT NULL, name TEXT NOT NULL,
        seq INTEGER NOT NULL, state TEXT NOT NULL, upid TEXT, error TEXT, at TEXT NOT NULL,
        PRIMARY KEY (saga, subject, name));
CREATE UNIQUE INDEX approvals_live ON approvals (number) WHERE voided_at IS NULL;
CREATE INDEX postings_balance ON postings (opd, dimension, held, committed);
CREATE INDEX postings_instance ON postings (instance, dimension, held, committed);
CREATE UNIQUE INDEX instances_key ON instances (key) WHERE state <> 'purged';
CREATE UNIQUE INDEX instances_name ON instances (name) WHERE state <> 'purged';
CREATE UNIQUE INDEX instances_vmid ON instances (cluster, vmid) WHERE state <> 'purged';
CREATE INDEX addresses_uid ON addresses (uid);
CREATE UNIQUE INDEX sagas_unfinished ON sagas (number, kind)
        WHERE state IN ('open', 'stuck');
CREATE INDEX audit_subject ON audit (subject);
CREATE INDEX audit_opd ON audit (opd);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
            BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
            BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END;
CREATE TRIGGER postings_no_update BEFORE UPDATE ON postings
            BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END;
CREATE TRIGGER postings_no_delete BEFORE DELETE ON postings
            BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END;
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit
            WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)
            BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END;
CREATE TRIGGER postings_no_replace BEFORE INSERT ON postings
            WHEN EXISTS (SELECT 1 FROM postings WHERE seq = NEW.seq)
            BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END;
COMMIT;
