// Package flows drives a daemon with the old Go SDK (RPC signature v1); this file has what the flows share.
package flows

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	serverErrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
)

const region = "cn-hangzhou"

var requestID = regexp.MustCompile(`^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$`)

// instant is how the moment of a creation is written.
var instant = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)

// endpoint is the daemon's host and port; every request gets it as its Domain, and HTTP is the SDK's default.
var endpoint = os.Getenv("SNAPSHOTD_TEST_ENDPOINT")

// cloud is a client and the test that uses it; a call that fails ends the test.
type cloud struct {
	*ecs.Client
	t *testing.T
}

func connect(t *testing.T, credential auth.Credential) cloud {
	t.Helper()
	client, err := ecs.NewClientWithOptions(region, sdk.NewConfig(), credential)
	if err != nil {
		t.Fatal(err)
	}
	client.Domain = endpoint
	return cloud{client, t}
}

func shipped(t *testing.T) cloud {
	return connect(t, credentials.NewAccessKeyCredential("testid", "testsecret"))
}

// done takes the answer of a call that has to succeed.
func done[T any](answer T, err error) T {
	if err != nil {
		panic(err)
	}
	return answer
}

// refused expects that a call failed with this code and status, and with a RequestId.
func refused(t *testing.T, code string, status int, err error) serverErrors.Error {
	t.Helper()
	var refusal *serverErrors.ServerError
	if !errors.As(err, &refusal) {
		t.Fatalf("wanted %s, got %v", code, err)
	}
	if refusal.ErrorCode() != code || refusal.HttpStatus() != status || !requestID.MatchString(refusal.RequestId()) {
		t.Fatalf("wanted %s and %d, got %v (%d)", code, status, refusal, refusal.HttpStatus())
	}
	return refusal
}

// list is how ids are handed over where the API takes JSON.
func list(ids ...string) string {
	return string(done(json.Marshal(ids)))
}

// until gives what probe gives, as soon as it says so.
func until[T any](t *testing.T, probe func() (T, bool)) T {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		found, ok := probe()
		if ok {
			return found
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing within 20 s")
		}
	}
}

func (c cloud) disks(change func(*ecs.DescribeDisksRequest)) []ecs.Disk {
	request := ecs.CreateDescribeDisksRequest()
	change(request)
	return done(c.DescribeDisks(request)).Disks.Disk
}

func (c cloud) disksOf(instance string) []ecs.Disk {
	return c.disks(func(r *ecs.DescribeDisksRequest) { r.InstanceId = instance })
}

// disk gives the disk and whether it is there.
func (c cloud) disk(id string) (ecs.Disk, bool) {
	found := c.disks(func(r *ecs.DescribeDisksRequest) { r.DiskIds = list(id) })
	if len(found) == 0 {
		return ecs.Disk{}, false
	}
	return found[0], true
}

func (c cloud) snapshots(change func(*ecs.DescribeSnapshotsRequest)) []ecs.Snapshot {
	request := ecs.CreateDescribeSnapshotsRequest()
	change(request)
	return done(c.DescribeSnapshots(request)).Snapshots.Snapshot
}

// snapshot gives the snapshot and whether it is there.
func (c cloud) snapshot(id string) (ecs.Snapshot, bool) {
	found := c.snapshots(func(r *ecs.DescribeSnapshotsRequest) { r.SnapshotIds = list(id) })
	if len(found) == 0 {
		return ecs.Snapshot{}, false
	}
	return found[0], true
}

func (c cloud) takeSnapshot(disk string, change func(*ecs.CreateSnapshotRequest)) string {
	request := ecs.CreateCreateSnapshotRequest()
	request.DiskId = disk
	change(request)
	return done(c.CreateSnapshot(request)).SnapshotId
}

func plain(*ecs.CreateSnapshotRequest) {}

func (c cloud) accomplished(id string) ecs.Snapshot {
	c.t.Helper()
	return until(c.t, func() (ecs.Snapshot, bool) {
		found, _ := c.snapshot(id)
		return found, found.Status == "accomplished"
	})
}

func (c cloud) deleteSnapshot(id string, force bool) error {
	request := ecs.CreateDeleteSnapshotRequest()
	request.SnapshotId = id
	if force {
		request.Force = requests.NewBoolean(true)
	}
	_, err := c.DeleteSnapshot(request)
	return err
}

func (c cloud) diskIs(id, status string) {
	c.t.Helper()
	until(c.t, func() (ecs.Disk, bool) {
		found, _ := c.disk(id)
		return found, found.Status == status
	})
}

func (c cloud) newDisk(change func(*ecs.CreateDiskRequest)) string {
	request := ecs.CreateCreateDiskRequest()
	request.DiskCategory = "cloud_essd"
	change(request)
	id := done(c.CreateDisk(request)).DiskId
	c.diskIs(id, "Available")
	return id
}

func (c cloud) attach(instance, disk string) {
	request := ecs.CreateAttachDiskRequest()
	request.InstanceId, request.DiskId = instance, disk
	done(c.AttachDisk(request))
	c.diskIs(disk, "In_use")
}

func (c cloud) instanceIs(id, status string) {
	c.t.Helper()
	until(c.t, func() (string, bool) {
		request := ecs.CreateDescribeInstancesRequest()
		request.InstanceIds = list(id)
		seen := done(c.DescribeInstances(request)).Instances.Instance[0].Status
		return seen, seen == status
	})
}

// run gives the id of a new instance of a public image, once it runs.
func (c cloud) run(amount, dataDisks int) string {
	c.t.Helper()
	images := ecs.CreateDescribeImagesRequest()
	images.ImageOwnerAlias = "system"
	disks := make([]ecs.RunInstancesDataDisk, dataDisks)
	for i := range disks {
		disks[i] = ecs.RunInstancesDataDisk{Category: "cloud_essd", Size: "40"}
	}
	request := ecs.CreateRunInstancesRequest()
	request.ImageId = done(c.DescribeImages(images)).Images.Image[0].ImageId
	request.InstanceType = "ecs.g7.large"
	request.Amount = requests.NewInteger(amount)
	request.DataDisk = &disks
	ids := done(c.RunInstances(request)).InstanceIdSets.InstanceIdSet
	c.instanceIs(ids[len(ids)-1], "Running")
	return ids[0]
}

// byName calls an action that the SDK has no class for, or with parameters that it would not take.
func (c cloud) byName(action string, parameters map[string]string) (map[string]any, error) {
	request := requests.NewCommonRequest()
	request.Domain, request.Version, request.ApiName, request.Scheme = endpoint, "2014-05-26", action, "HTTP"
	request.QueryParams["RegionId"] = region
	for name, value := range parameters {
		request.QueryParams[name] = value
	}
	response, err := c.ProcessCommonRequest(request)
	if err != nil {
		return nil, err
	}
	var body map[string]any
	return body, json.Unmarshal(response.GetHttpContentBytes(), &body)
}

func same(t *testing.T, seen, wanted any) {
	t.Helper()
	if fmt.Sprint(seen) != fmt.Sprint(wanted) {
		t.Fatalf("wanted %v, got %v", wanted, seen)
	}
}
