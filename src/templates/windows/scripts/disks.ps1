# Data disks for databases. Only a disk without any partition is touched.

# CD drives have the first letters that were free, which disks shall have.
function Move-CdDrive([string] $Letter) {
    $volume = Get-WmiObject Win32_Volume -Filter ("DriveLetter='" + $Letter + ":'")
    if ($volume -eq $null) { return }
    if ($volume.DriveType -ne 5) { throw ('drive ' + $Letter + ': is there already') }
    foreach ($code in 90..68) {
        $other = [string] [char] $code + ':'
        $taken = Get-WmiObject Win32_LogicalDisk -Filter ("DeviceID='" + $other + "'")
        if ($taken -eq $null) {
            Set-WmiInstance -InputObject $volume -Arguments @{ DriveLetter = $other } | Out-Null
            Write-Log 'disks' ('the CD drive ' + $Letter + ': is ' + $other + ' now')
            return
        }
    }
    throw 'no drive letter is free for the CD drive'
}

# The serial number of a disk is its name in the site file. Old Windows shows that of SATA disks in other ways: where no disk
# at all shows this name, the only empty one is meant.
function Find-EmptyDisk([string] $Name) {
    $disks = @(Get-WmiObject Win32_DiskDrive | Sort-Object Index)
    $named = @($disks | Where-Object { $Name -ne '' -and ('' + $_.SerialNumber).Trim() -eq $Name })
    if ($named.Count -gt 0) { $disks = $named }
    $empty = @($disks | Where-Object { $_.Partitions -eq 0 })
    if ($empty.Count -eq 0) { throw ('there is no empty data disk ' + $Name) }
    if ($empty.Count -gt 1 -and $Name -ne '') { throw ('nobody knows which of the empty data disks is ' + $Name) }
    return $empty[0]
}

# The disk that a volume is made on is written down before anything is done to it: when Windows ends meanwhile, it may not be
# empty any more, and another one must not be taken. Its number may be another one then; where it is plugged in stays.
function Get-VolumeDisk([string] $Letter, [string] $Name) {
    $file = Get-StepFile ('disks-' + $Letter) 'disk'
    if (-not (Test-Path $file)) {
        $disk = Find-EmptyDisk $Name
        Save-Firmly $file $disk.PNPDeviceID
        return $disk
    }
    $begun = [System.IO.File]::ReadAllText($file)
    $disks = @(Get-WmiObject Win32_DiskDrive | Where-Object { $_.PNPDeviceID -eq $begun -and $_.Partitions -eq 0 })
    if ($disks.Count -ne 1) { throw ('the volume ' + $Letter + ': was begun and not finished; make it by hand, on the disk ' + $begun) }
    return $disks[0]
}

function Initialize-DataDisk($Role) {
    $letter = Get-Text $Role 'letter'
    if ((Get-WmiObject Win32_LogicalDisk -Filter ("DeviceID='" + $letter + ":' AND DriveType=3")) -ne $null) {
        Write-Log 'disks' ($letter + ': is there already, and is left as it is')
        return
    }
    Move-CdDrive $letter
    $disk = Get-VolumeDisk $letter (Get-Text $Role 'disk')
    $script = Join-Path $Place 'diskpart.txt'
    # diskpart takes no texts of users: the label follows below.
    Set-Content -Path $script -Encoding ASCII -Value @(
        ('select disk ' + $disk.Index),
        'attributes disk clear readonly noerr',
        'online disk noerr',
        'convert gpt noerr',
        'create partition primary align=1024',
        ('format fs=ntfs unit=' + (Get-Text $Role 'allocationUnit') + ' quick'),
        ('assign letter=' + $letter)
    )
    Invoke-Program 'disks' 'diskpart.exe' @('/s', $script) | Out-Null
    $volume = Get-WmiObject Win32_Volume -Filter ("DriveLetter='" + $letter + ":'")
    Set-WmiInstance -InputObject $volume -Arguments @{ Label = (Get-Text $Role 'label') } | Out-Null
}

function Step-Disks($Settings) {
    foreach ($role in $Settings.SelectNodes('roles/exchange-disk | roles/sql-server-disk')) { Initialize-DataDisk $role }
    return 'done'
}
