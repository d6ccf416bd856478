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

# The serial number of a disk is its name in the site file. Old Windows shows that of SATA disks in other ways: the only
# empty disk is meant then.
function Find-EmptyDisk([string] $Name) {
    $disks = @(Get-WmiObject Win32_DiskDrive | Where-Object { $_.Partitions -eq 0 } | Sort-Object Index)
    $named = @($disks | Where-Object { $Name -eq '' -or ('' + $_.SerialNumber).Trim() -eq $Name })
    if ($named.Count -gt 0) { return $named[0].Index }
    if ($disks.Count -eq 1) { return $disks[0].Index }
    throw ('there is no empty data disk ' + $Name)
}

function Initialize-DataDisk($Role) {
    $letter = Get-Text $Role 'letter'
    if ((Get-WmiObject Win32_LogicalDisk -Filter ("DeviceID='" + $letter + ":' AND DriveType=3")) -ne $null) {
        Write-Log 'disks' ($letter + ': is there already, and is left as it is')
        return
    }
    Move-CdDrive $letter
    $index = Find-EmptyDisk (Get-Text $Role 'disk')
    $script = Join-Path $Place 'diskpart.txt'
    # diskpart takes no texts of users: the label follows below.
    Set-Content -Path $script -Encoding ASCII -Value @(
        ('select disk ' + $index),
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
